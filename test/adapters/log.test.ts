// SPDX-License-Identifier: Apache-2.0
// The log under those who would fill the disk with it.

import test from 'ava';
import { type Log, sparing, sparingLinesMax } from '../../adapters/log.js';

test('attack: ten thousand refusals in a minute are twenty lines, and the next minute says how many were left out', (t) => {
  const lines: Array<{ level: string; facts: object; message: string }> = [];
  const line = (level: string) => (facts: object, message: string) =>
    void lines.push({ level, facts, message });
  const log: Log = {
    debug: line('debug'),
    info: line('info'),
    warn: line('warn'),
    error: line('error'),
    child: () => log,
  };
  let nowMs = 30_000;
  const quiet = sparing(log, { monotonicMs: () => nowMs });
  for (let at = 0; at < 10_000; at += 1) quiet.warn({ at }, 'refused');
  t.is(lines.length, sparingLinesMax);
  t.deepEqual(lines[0], { level: 'warn', facts: { at: 0 }, message: 'refused' });
  nowMs += 60_000;
  quiet.info({ at: 'later' }, 'refused');
  quiet.info({ at: 'last' }, 'refused');
  t.deepEqual(lines.slice(-2), [
    {
      level: 'info',
      facts: { at: 'later', leftOut: 10_000 - sparingLinesMax },
      message: 'refused',
    },
    { level: 'info', facts: { at: 'last' }, message: 'refused' },
  ]);
});
