// SPDX-License-Identifier: Apache-2.0
// What a device takes as its desired. Each attack is a test with the attack in its title; each ends with what
// was accepted before still accepted, and a code that says why.

import test, { type ExecutionContext } from 'ava';
import { acceptAssignment } from '../../../agent/desired/assignment.js';
import type { Store } from '../../../agent/store/types.js';
import type { Envelope } from '../../../protocol/envelope.js';
import { payloadTypes } from '../../../protocol/envelope.js';
import { codeOf } from '../../../protocol/error.js';
import { anAssignment, aRelease, digestFor } from '../../kit/agent-docs.js';
import { someKeys } from '../../kit/agent-signed.js';
import { aStore } from '../../kit/agent-store.js';

const keys = someKeys();
const stranger = someKeys();
const nowMs = Date.parse('2026-06-01T00:00:00Z');

/** A device that has accepted generation 5. */
async function aDevice(t: ExecutionContext): Promise<Store> {
  const { store } = await aStore(t);
  await acceptAssignment(keys.assignment({ generation: 5 }), context(store));
  return store;
}

const context = (store: Store, at = nowMs): Parameters<typeof acceptAssignment>[1] => ({
  believer: keys.believer,
  store,
  nowMs: at,
});

async function isRefused(
  t: ExecutionContext,
  store: Store,
  text: string,
  code: string,
  at = nowMs,
): Promise<void> {
  const before = await store.desired.assignment();
  const error = await t.throwsAsync(acceptAssignment(text, context(store, at)));
  t.is(codeOf(error), code as never, error?.message);
  t.deepEqual(await store.desired.assignment(), before, 'nothing changed');
}

function tampered(
  text: string,
  change: (envelope: Envelope & Record<string, unknown>) => void,
): string {
  const envelope = JSON.parse(text) as Envelope & Record<string, unknown>;
  change(envelope);
  return JSON.stringify(envelope);
}

const newer = (): string => keys.assignment({ generation: 6 });

test('A newer assignment is accepted and durable; the same again changes nothing', async (t) => {
  const store = await aDevice(t);
  const text = newer();
  t.is((await acceptAssignment(text, context(store))).is, 'new');
  t.is((await store.desired.assignment())?.assignment.generation, 6);
  t.is((await acceptAssignment(text, context(store))).is, 'known');
});

test('Attack: an assignment without a signature', async (t) => {
  const store = await aDevice(t);
  const bare = tampered(newer(), (envelope) => Object.assign(envelope, { signatures: [] }));
  await isRefused(t, store, bare, 'DESIRED_SIGNATURE');
  await isRefused(t, store, JSON.stringify(anAssignment({ generation: 6 })), 'DESIRED_SIGNATURE');
});

test('Attack: an assignment signed by a key that nobody gave the device', async (t) => {
  await isRefused(t, await aDevice(t), stranger.assignment({ generation: 6 }), 'DESIRED_SIGNATURE');
});

test('Attack: a foreign signature under a trusted keyid', async (t) => {
  const keyid = keys.believer.trust.assignment[0]?.keyid;
  const text = tampered(stranger.assignment({ generation: 6 }), (envelope) => {
    Object.assign(envelope.signatures[0] ?? {}, { keyid });
  });
  await isRefused(t, await aDevice(t), text, 'DESIRED_SIGNATURE');
});

test('Attack: the right key in the wrong role, a release key that signs an assignment', async (t) => {
  const document = anAssignment({ generation: 6 });
  const text = keys.sign(payloadTypes.assignment, document, keys.releaseKey);
  await isRefused(t, await aDevice(t), text, 'DESIRED_SIGNATURE');
});

test('Attack: the payload type is exchanged', async (t) => {
  const document = anAssignment({ generation: 6 });
  const text = keys.sign(payloadTypes.release, document, keys.assignmentKey);
  await isRefused(t, await aDevice(t), text, 'DESIRED_SIGNATURE');
  const renamed = tampered(text, (envelope) =>
    Object.assign(envelope, { payloadType: payloadTypes.assignment }),
  );
  await isRefused(t, await aDevice(t), renamed, 'DESIRED_SIGNATURE');
});

test('Attack: one bit of the payload or of the signature is flipped', async (t) => {
  const store = await aDevice(t);
  const flip = (text: string): string => {
    const bytes = Buffer.from(text, 'base64');
    bytes[10] = (bytes[10] ?? 0) ^ 1;
    return bytes.toString('base64');
  };
  const body = tampered(newer(), (envelope) =>
    Object.assign(envelope, { payload: flip(envelope.payload) }),
  );
  await isRefused(t, store, body, 'DESIRED_SIGNATURE');
  const signature = tampered(newer(), (envelope) => {
    const first = envelope.signatures[0];
    Object.assign(first ?? {}, { sig: flip(first?.sig ?? '') });
  });
  await isRefused(t, store, signature, 'DESIRED_SIGNATURE');
});

test('Attack: another device’s assignment is replayed here', async (t) => {
  const text = keys.assignment({ generation: 6, device: 'dev-2' });
  await isRefused(t, await aDevice(t), text, 'DESIRED_FOREIGN');
});

test('Attack: an assignment of another tenant', async (t) => {
  const text = keys.assignment({ generation: 6, tenant: 'umbrella' });
  await isRefused(t, await aDevice(t), text, 'DESIRED_FOREIGN');
});

test('Attack: an older generation is replayed', async (t) => {
  await isRefused(t, await aDevice(t), keys.assignment({ generation: 4 }), 'DESIRED_STALE');
});

test('Attack: the same generation with another release', async (t) => {
  const release = { digest: digestFor('other'), app: 'shop', counter: 9 };
  const store = await aDevice(t);
  await isRefused(t, store, keys.assignment({ generation: 5, release }), 'DESIRED_EQUIVOCATION');
  const none = keys.assignment({ generation: 5, release: null });
  await isRefused(t, store, none, 'DESIRED_EQUIVOCATION');
});

test('Attack: a lower epoch, and one that the device was not told of', async (t) => {
  const store = await aDevice(t);
  await isRefused(t, store, keys.assignment({ generation: 6, epoch: 0 }), 'DESIRED_EPOCH');
  // A thief of the online key cannot fast-forward the epoch: only enrolment gives a new one.
  await isRefused(t, store, keys.assignment({ generation: 6, epoch: 2 }), 'DESIRED_EPOCH');
});

test('A new epoch recovers a device whose generation was fast-forwarded', async (t) => {
  const store = await aDevice(t);
  const last = Number.MAX_SAFE_INTEGER;
  await acceptAssignment(keys.assignment({ generation: last }), context(store));
  await isRefused(t, store, keys.assignment({ generation: 7 }), 'DESIRED_STALE');
  const { trust } = keys.believer;
  const believer = { ...keys.believer, trust: { ...trust, epoch: 2 } };
  const text = keys.assignment({ epoch: 2, generation: 1 });
  t.is((await acceptAssignment(text, { believer, store, nowMs })).is, 'new');
});

test('Attack: a generation beyond 2^53', async (t) => {
  const text = JSON.stringify(anAssignment()).replace(
    '"generation":1',
    '"generation":9007199254740993',
  );
  const signed = keys.sign(payloadTypes.assignment, text, keys.assignmentKey);
  await isRefused(t, await aDevice(t), signed, 'DESIRED_FORM');
});

test('Attack: the way back to a release with a lower counter than the last good one', async (t) => {
  const store = await aDevice(t);
  const good = aRelease({ counter: 7 });
  const envelope = JSON.parse(keys.release(good).text) as Envelope;
  const { digest } = keys.release(good);
  await store.desired.putRelease(digest, good, envelope);
  await store.verdicts.commit(digest);
  const to = (counter: number): string =>
    keys.assignment({
      generation: 6,
      release: { digest: digestFor(`c${counter}`), app: 'shop', counter },
    });
  await isRefused(t, store, to(6), 'DESIRED_OLD_RELEASE');
  t.is((await acceptAssignment(to(7), context(store))).is, 'new');
});

test('Attack: an expired assignment with a good clock is refused, with a clock of 1970 it is not held against it', async (t) => {
  const store = await aDevice(t);
  const text = keys.assignment({ generation: 6, notAfter: '2026-02-01T00:00:00Z' });
  await isRefused(t, store, text, 'DESIRED_EXPIRED');
  t.is((await acceptAssignment(text, context(store, 0))).is, 'new');
});

test('Attack: the clock is set to 2099 and back: nothing of it stays', async (t) => {
  const store = await aDevice(t);
  const text = keys.assignment({ generation: 6, notAfter: '2026-12-01T00:00:00Z' });
  await isRefused(t, store, text, 'DESIRED_EXPIRED', Date.parse('2099-01-01T00:00:00Z'));
  t.is((await acceptAssignment(text, context(store))).is, 'new');
});

test('Attack: duplicate keys, __proto__, NUL, a lone surrogate, an unknown field', async (t) => {
  const store = await aDevice(t);
  const plain = JSON.stringify(anAssignment({ generation: 6 }));
  for (const text of [
    plain.replace('"epoch":1', '"epoch":1,"epoch":1'),
    plain.replace('"epoch":1', '"epoch":1,"__proto__":{}'),
    plain.replace('"dev-1"', '"dev-1\\u0000"'),
    plain.replace('"dev-1"', '"dev-\\ud800"'),
    plain.replace('"epoch":1', '"epoch":1,"force":true'),
  ]) {
    const signed = keys.sign(payloadTypes.assignment, text, keys.assignmentKey);
    await isRefused(t, store, signed, 'DESIRED_FORM');
  }
});

test('Attack: garbage, depth, and more bytes than an assignment can have', async (t) => {
  const store = await aDevice(t);
  for (const text of ['', 'null', '[]', '{', '[['.repeat(5000), ' '.repeat(1 << 20)]) {
    const error = await t.throwsAsync(acceptAssignment(text, context(store)));
    t.true(['DESIRED_FORM', 'DESIRED_SIGNATURE'].includes(codeOf(error)), text.slice(0, 9));
  }
  t.is((await store.desired.assignment())?.assignment.generation, 5);
});
