// SPDX-License-Identifier: Apache-2.0
// One device's flood is dropped and counted; the others, and what an outbox kept back, come through.

import test from 'ava';
import { openLog } from '../../../adapters/log.js';
import { Intake, messageBurstMax, messagesPerS } from '../../../fleet/observe/intake.js';

function anIntake(): { intake: Intake; lines: object[] } {
  const lines: object[] = [];
  const log = { ...openLog('test', 'silent'), warn: (facts: object) => void lines.push(facts) };
  return { intake: new Intake(log), lines };
}

const say = (intake: Intake, device: string, count: number, nowMs: number): number =>
  Array.from({ length: count }, () => intake.takes(device, nowMs)).filter(Boolean).length;

test('Attack: a device that talks without end is heard at its rate, and nobody else is kept waiting', (t) => {
  const { intake } = anIntake();
  t.is(say(intake, 'loud', 8000, 0), messageBurstMax);
  t.is(say(intake, 'quiet', 10, 0), 10);
  t.is(say(intake, 'loud', 100, 2000), 2 * messagesPerS);
  t.is(say(intake, 'loud', 8000, 3_600_000), messageBurstMax, 'an hour later it is forgiven');
});

test('what was kept back in a full outbox is taken in at once', (t) => {
  const { intake } = anIntake();
  t.is(say(intake, 'back', 1000, 0), 1000);
});

test('drops are said once a minute, with the loudest devices', (t) => {
  const { intake, lines } = anIntake();
  intake.report(0);
  say(intake, 'loud', messageBurstMax + 5, 0);
  say(intake, 'louder', messageBurstMax + 7, 0);
  intake.report(30_000);
  t.deepEqual(lines, []);
  intake.report(60_000);
  intake.report(120_000);
  t.deepEqual(lines, [{ count: 12, deviceCount: 2, devices: { louder: 7, loud: 5 } }]);
});
