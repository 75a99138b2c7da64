// SPDX-License-Identifier: Apache-2.0
// Releases, and what is told of refusals.

import test, { type ExecutionContext } from 'ava';
import { openReceiver, type Receiver } from '../../../agent/desired/receive.js';
import { acceptRelease, missingReleases } from '../../../agent/desired/release.js';
import type { Store } from '../../../agent/store/types.js';
import type { Event } from '../../../protocol/device.js';
import { payloadTypes } from '../../../protocol/envelope.js';
import { codeOf } from '../../../protocol/error.js';
import type { Release } from '../../../protocol/release.js';
import { aRelease } from '../../kit/agent-docs.js';
import { someKeys } from '../../kit/agent-signed.js';
import { aStore } from '../../kit/agent-store.js';

const keys = someKeys();
const release = aRelease({ counter: 4 });
const { text, digest } = keys.release(release);

interface Device {
  readonly store: Store;
  readonly receiver: Receiver;
  readonly told: string[];
}

async function aDevice(
  t: ExecutionContext,
  clock = { ms: Date.parse('2026-06-01T00:00:00Z') },
): Promise<Device> {
  const { store } = await aStore(t);
  const told: string[] = [];
  const receiver = openReceiver({
    believer: keys.believer,
    store,
    now: () => clock.ms,
    eventOf: async (facts) => {
      const assignment = (await store.desired.assignment())?.assignment;
      const { epoch = 0, generation = 0 } = assignment ?? {};
      const at = '2026-06-01T00:00:00Z';
      return { bootId: 'b', seq: await store.nextSeq(), epoch, generation, ...facts, at };
    },
    onAccepted: ({ generation }, missing) => told.push(`accepted ${generation} ${missing.length}`),
    onReleased: (one) => told.push(`release ${one === digest}`),
    onRefused: ({ code }) => told.push(code),
    refusedCountMax: 2,
  });
  return { store, receiver, told };
}

const events = async (store: Store): Promise<Event[]> =>
  (await store.outbox.next(100)).map(({ event }) => event);

const assigned = (generation = 1, of: Release = release): string =>
  keys.assignment({
    generation,
    release: { digest: keys.release(of).digest, app: of.app, counter: of.counter },
  });

test('An assignment is accepted, its release is missing, then it comes', async (t) => {
  const { store, receiver, told } = await aDevice(t);
  await store.journal.putBackoff({
    subject: 'x',
    code: 'NO_SPACE',
    message: '',
    attempts: 1,
    notBeforeMs: 1e12,
  });
  await receiver.desired(assigned());
  t.deepEqual(await missingReleases(store), [digest]);
  await receiver.release(text);
  await receiver.release(text);
  t.deepEqual(told, ['accepted 1 1', 'release true']);
  t.deepEqual(await store.desired.release(digest), release);
  t.deepEqual(await missingReleases(store), []);
  t.deepEqual(await store.journal.backoffs(), [], 'what failed has a new chance');
  t.like((await events(store))[0], { type: 'accepted', generation: 1, release: digest });
});

test('Attack: a broker replays a refused text over and over: it is told once', async (t) => {
  const { store, receiver, told } = await aDevice(t);
  await receiver.desired(assigned(5));
  for (let at = 0; at < 20; at += 1) await receiver.desired(assigned(3));
  t.deepEqual(told, ['accepted 5 1', 'DESIRED_STALE']);
  t.is((await events(store)).length, 2);
});

test('Attack: a flood of made-up texts, each another one: one refusal a minute is told', async (t) => {
  const clock = { ms: Date.parse('2026-06-01T00:00:00Z') };
  const { store, receiver, told } = await aDevice(t, clock);
  await receiver.desired(assigned(5));
  const flood = async (): Promise<void> => {
    for (let at = 0; at < 40; at += 1) await receiver.desired(`made up ${at} ${clock.ms}`);
    for (let at = 0; at < 5; at += 1) await receiver.desired(someKeys().assignment());
  };
  await flood();
  t.is((await events(store)).length, 2);
  await receiver.desired(assigned(3));
  t.deepEqual(told, ['accepted 5 1', 'DESIRED_FORM', 'DESIRED_STALE'], 'what is signed is told');
  clock.ms += 61_000;
  await flood();
  clock.ms -= 3_600_000;
  await flood();
  t.is((await events(store)).length, 5);
});

test('A refusal names the generation only where a trusted key had signed it', async (t) => {
  const { store, receiver } = await aDevice(t);
  await receiver.desired(assigned(5));
  await receiver.desired(someKeys().assignment({ generation: 9 }));
  await receiver.desired(keys.assignment({ generation: 9, notAfter: '2026-02-01T00:00:00Z' }));
  const [, forged, expired] = await events(store);
  t.like(forged, { type: 'refused', code: 'DESIRED_SIGNATURE', generation: 5, release: null });
  t.like(expired, { type: 'refused', code: 'DESIRED_EXPIRED', generation: 9, epoch: 1 });
});

test('Attack: a well signed release that no assignment names is not kept', async (t) => {
  const { store, receiver, told } = await aDevice(t);
  await receiver.release(text);
  await receiver.desired(assigned());
  const old = keys.release(aRelease({ counter: 1, version: 'old' }));
  await receiver.release(old.text);
  t.deepEqual(told, ['DESIRED_UNASKED', 'accepted 1 1', 'DESIRED_UNASKED']);
  t.deepEqual(await store.desired.releases(), []);
});

for (const [what, forged, code] of [
  ['unsigned', JSON.stringify(release), 'DESIRED_SIGNATURE'],
  [
    'signed by an assignment key',
    keys.sign(payloadTypes.release, release, keys.assignmentKey),
    'DESIRED_SIGNATURE',
  ],
  ['signed by a stranger', someKeys().release(release).text, 'DESIRED_SIGNATURE'],
  [
    'with a field that nobody knows',
    keys.sign(payloadTypes.release, { ...release, sudo: true }, keys.releaseKey),
    'DESIRED_FORM',
  ],
  [
    'nested too deep',
    keys.sign(
      payloadTypes.release,
      `{"kind":${'['.repeat(500)}${']'.repeat(500)}}`,
      keys.releaseKey,
    ),
    'DESIRED_FORM',
  ],
] as const) {
  test(`Attack: a release that is ${what}: ${code}`, async (t) => {
    const { store, receiver } = await aDevice(t);
    await receiver.desired(assigned());
    const error = await t.throwsAsync(acceptRelease(forged, { believer: keys.believer, store }));
    t.is(codeOf(error), code);
    t.deepEqual(await store.desired.releases(), []);
  });
}

test('Attack: an assignment that lies about a release’s counter or app', async (t) => {
  for (const lie of [{ counter: 99 }, { app: 'other' }]) {
    const { store, receiver, told } = await aDevice(t);
    const { app, counter } = { ...release, ...lie };
    await receiver.desired(keys.assignment({ release: { digest, app, counter } }));
    await receiver.release(text);
    t.deepEqual(told, ['accepted 1 1', 'DESIRED_MISMATCH']);
    t.like((await events(store)).at(-1), { type: 'refused', generation: 1, release: digest });
  }
});
