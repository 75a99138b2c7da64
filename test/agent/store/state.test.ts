// SPDX-License-Identifier: Apache-2.0
// What the database keeps: desired, verdicts, journal, outbox; over restarts, reboots and damage.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { openDb } from '../../../adapters/sqlite.js';
import {
  failedCountMax,
  historyCountMax,
  migrations,
  outboxCountMax,
} from '../../../agent/store/schema.js';
import type { Event } from '../../../protocol/device.js';
import type { Envelope } from '../../../protocol/envelope.js';
import { anAssignment, aRelease, digestFor, releaseDigest } from '../../kit/agent-docs.js';
import { aRoot, aStore, putImage } from '../../kit/agent-store.js';

const envelope: Envelope = {
  payloadType: 'application/vnd.wherry.release.v1+json',
  payload: '',
  signatures: [],
};
const release = aRelease({ counter: 7 });
const digest = releaseDigest(release);

const anEvent = (changed: Partial<Event> = {}): Event => ({
  bootId: 'boot-1',
  seq: 1,
  epoch: 1,
  generation: 1,
  release: digest,
  type: 'good',
  at: '2026-01-01T00:00:00Z',
  ...changed,
});

test('Desired and verdicts are there after a restart', async (t) => {
  const places = await aRoot(t);
  const { store } = await aStore(t, { places });
  await store.desired.accept(anAssignment(), envelope);
  await store.desired.putRelease(digest, release, envelope);
  const trial = { release: digest, switchedAtMs: 5, wellSinceMs: null, baseline: [] };
  await store.verdicts.try(trial);
  await store.verdicts.well(9);
  await store.close();
  const { store: again } = await aStore(t, { places });
  t.deepEqual((await again.desired.assignment())?.assignment, anAssignment());
  t.deepEqual(await again.desired.releases(), [{ digest, release }]);
  t.deepEqual(await again.verdicts.trial(), { ...trial, wellSinceMs: 9 });
});

test('A commit raises the app’s counter for good, and ends the trial', async (t) => {
  const { store } = await aStore(t);
  await store.desired.putRelease(digest, release, envelope);
  await store.verdicts.try({ release: digest, switchedAtMs: 1, wellSinceMs: 1, baseline: [] });
  await store.verdicts.commit(digest, anEvent());
  t.is(await store.verdicts.good(), digest);
  t.is(await store.verdicts.trial(), null);
  t.is(await store.desired.counterOf('shop'), 7);
  const older = aRelease({ counter: 3 });
  await store.desired.putRelease(releaseDigest(older), older, envelope);
  await store.verdicts.commit(releaseDigest(older));
  t.is(await store.desired.counterOf('shop'), 7);
  t.is(await store.desired.counterOf('other'), 0);
  t.deepEqual(
    (await store.outbox.next(9)).map(({ event }) => event.type),
    ['good'],
  );
});

test('A failed release is remembered with its reason until it is cleared; the oldest beyond the bound go', async (t) => {
  const { store } = await aStore(t);
  await store.verdicts.try({ release: digest, switchedAtMs: 1, wellSinceMs: 1, baseline: [] });
  await store.verdicts.fail(digest, 'GATE_OOM', 'too much', anEvent({ type: 'failed' }));
  const row = { release: digest, code: 'GATE_OOM', message: 'too much', returned: false };
  t.deepEqual(await store.verdicts.failed(), [row]);
  t.is(await store.verdicts.trial(), null);
  await store.verdicts.returned(digest);
  t.deepEqual(await store.verdicts.failed(), [{ ...row, returned: true }]);
  await store.verdicts.clear(digest);
  t.deepEqual(await store.verdicts.failed(), []);
  for (let at = 0; at < failedCountMax + 3; at += 1) {
    await store.verdicts.fail(digestFor(`r${at}`), 'GATE_OOM', 'x');
  }
  const failed = await store.verdicts.failed();
  t.is(failed.length, failedCountMax);
  t.is(failed[0]?.release, digestFor(`r${failedCountMax + 2}`));
});

test('A failure of another release does not end the trial', async (t) => {
  const { store } = await aStore(t);
  await store.verdicts.try({ release: digest, switchedAtMs: 1, wellSinceMs: null, baseline: [] });
  await store.verdicts.fail(digestFor('other'), 'PLAN_CYCLE', 'x');
  t.is((await store.verdicts.trial())?.release, digest);
});

test('After a reboot the gate begins anew and no backoff holds anything up', async (t) => {
  const places = await aRoot(t);
  const { store } = await aStore(t, { places });
  const baseline = [{ container: 'web-1', restartCount: 2 }];
  await store.verdicts.try({ release: digest, switchedAtMs: 5, wellSinceMs: 6, baseline });
  const backoff = {
    subject: 'x',
    code: 'NO_SPACE',
    message: 'full',
    attempts: 3,
    notBeforeMs: 9e12,
  } as const;
  await store.journal.putBackoff(backoff);
  t.deepEqual([await store.nextSeq(), await store.nextSeq()], [1, 2]);
  await store.close();

  const { store: restarted } = await aStore(t, { places });
  t.deepEqual((await restarted.verdicts.trial())?.baseline, baseline);
  t.deepEqual(await restarted.journal.backoffs(), [backoff]);
  t.true((await restarted.nextSeq()) > 2, 'the sequence goes on in the same boot');
  await restarted.close();

  const { store: rebooted } = await aStore(t, { places, bootId: 'boot-2' });
  const trial = await rebooted.verdicts.trial();
  t.is(trial?.wellSinceMs, null);
  t.true((trial?.switchedAtMs ?? 0) > 6);
  t.deepEqual(trial?.baseline, []);
  t.deepEqual(await rebooted.journal.backoffs(), []);
  t.is(await rebooted.nextSeq(), 1);
});

test('A step that the agent ended inside is found at the next start', async (t) => {
  const places = await aRoot(t);
  const { store } = await aStore(t, { places });
  await store.journal.end(await store.journal.begin('pull', 'a'), 'failed', 'NO_SPACE', 'full');
  await store.journal.end(await store.journal.begin('create', 'b'), 'done');
  const id = await store.journal.begin('pull', 'c');
  await store.close();
  const { store: again } = await aStore(t, { places });
  t.deepEqual(await again.journal.begun(), [{ id, step: 'pull', subject: 'c' }]);
  await again.journal.end(id, 'failed', 'AGENT_CUT_OFF', 'ended');
  t.deepEqual(await again.journal.begun(), []);
  t.deepEqual(
    (await again.journal.recent(9)).map(({ type, code, message }) => ({ type, code, message })),
    [
      { type: 'pull', code: 'AGENT_CUT_OFF', message: 'c: ended' },
      { type: 'pull', code: 'NO_SPACE', message: 'a: full' },
    ],
  );
});

test('A full outbox loses the oldest progress first and keeps every transition it can', async (t) => {
  const { store } = await aStore(t);
  await store.outbox.put(anEvent({ type: 'failed', seq: 1 }));
  for (let at = 0; at < outboxCountMax + 5; at += 1) {
    await store.outbox.put(anEvent({ type: 'pulling', seq: at + 2 }));
  }
  const events = (await store.outbox.next(outboxCountMax + 10)).map(({ event }) => event);
  t.is(events.length, outboxCountMax);
  t.is(events[0]?.type, 'failed');
  t.is(events[1]?.seq, 8, 'the six oldest of the progress went');
  t.true((await store.journal.recent(5000)).length <= historyCountMax);
});

test('Events leave the outbox in their order, and only when they are done', async (t) => {
  const { store } = await aStore(t);
  for (const seq of [1, 2, 3]) await store.outbox.put(anEvent({ seq }));
  const [first, second] = await store.outbox.next(2);
  t.deepEqual([first?.event.seq, second?.event.seq], [1, 2]);
  await store.outbox.done(first?.id ?? 0);
  t.deepEqual(
    (await store.outbox.next(9)).map(({ event }) => event.seq),
    [2, 3],
  );
});

test('Attack: refusals of forged texts fill the outbox: they go first, and real events stay', async (t) => {
  const { store } = await aStore(t);
  const put = (type: Event['type'], unsigned: boolean): Promise<void> =>
    store.outbox.put(anEvent({ type }), { unsigned });
  for (let at = 0; at < 3; at += 1) await put('pulled', false);
  for (let at = 0; at < 5; at += 1) await put('refused', true);
  for (let at = 5; at < outboxCountMax; at += 1) await put('good', false);
  const left = (await store.outbox.next(outboxCountMax)).map(({ event }) => event.type);
  t.is(left.length, outboxCountMax);
  t.is(left.filter((type) => type === 'pulled').length, 3);
  t.is(left.filter((type) => type === 'refused').length, 2);
});

test('Attack: events without end do not grow the history between two sweeps', async (t) => {
  const { store, places } = await aStore(t);
  for (let at = 0; at < historyCountMax + 50; at += 1) await store.outbox.put(anEvent());
  await store.close();
  const { db } = await openDb(join(places.state, 'wherry.db'), migrations);
  t.teardown(() => db.close());
  t.deepEqual(await db.get('SELECT count(*) AS count FROM history'), { count: historyCountMax });
});

test('A damaged database is set aside; a new one begins and the layers are still there', async (t) => {
  const places = await aRoot(t);
  const { store } = await aStore(t, { places });
  await putImage(store, 'web', ['base']);
  await store.close();
  await writeFile(join(places.state, 'wherry.db'), Buffer.alloc(8192, 7));
  const { store: again, recovered } = await aStore(t, { places });
  t.true(recovered);
  t.is(await again.desired.assignment(), undefined);
  t.not(await again.layers.dirOf(digestFor('base')), undefined);
});
