// SPDX-License-Identifier: Apache-2.0
// The loop on a real store: from what is asked to what runs, over failures, restarts and changes of mind.

import test from 'ava';
import { CodedError } from '../../../protocol/error.js';
import { aDevice } from '../../kit/agent-device.js';
import {
  aHealthcheck,
  aRelease,
  aWorkload,
  digestFor,
  idOf,
  releaseDigest,
} from '../../kit/agent-docs.js';

const gate = { bakeMs: 50, deadlineMs: 5000 };
const web = (tag: string): ReturnType<typeof aWorkload> =>
  aWorkload({ tag, healthcheck: aHealthcheck });
const db = aWorkload({ name: 'db' });
const v1 = aRelease({ gate, workloads: [web('v1'), db] });
const v2 = aRelease({ gate, version: 'v2', counter: 2, workloads: [web('v2'), db] });

test('A release is pulled, tried, baked and good; the next one replaces only what changed', async (t) => {
  const device = await aDevice(t);
  await device.ask(v1);
  await device.settled();
  t.is(await device.store.verdicts.good(), releaseDigest(v1));
  t.deepEqual(device.run.running(), [idOf(web('v1')), idOf(db)]);
  await device.ask(v2);
  await device.settled();
  t.deepEqual(device.pull.calls, ['web:v1', 'db:v1', 'web:v2']);
  t.deepEqual(device.run.calls, [
    'create web amd64',
    'create db amd64',
    'start web',
    'start db',
    'create web amd64',
    'stop web',
    'start web',
    'remove web',
  ]);
  t.deepEqual(await device.events(), [
    ...['pulling', 'pulled', 'pulling', 'pulled', 'switching', 'gating', 'good'],
    ...['pulling', 'pulled', 'switching', 'gating', 'good'],
  ]);
  t.is(await device.store.desired.counterOf('shop'), 2);
  t.deepEqual(
    (await device.store.desired.releases()).length,
    1,
    'old documents go with the commit',
  );
});

test('A sick release is left again for the good one, is said so, and is not tried again', async (t) => {
  const device = await aDevice(t);
  await device.ask(v1);
  await device.settled();
  device.run.conduct.set(digestFor('web:v2'), 'sick');
  await device.ask(v2);
  const { observed } = await device.settled();
  t.deepEqual(device.run.running().sort(), [idOf(web('v1')), idOf(db)].sort());
  t.like(observed.failed[0], {
    release: releaseDigest(v2),
    code: 'GATE_UNHEALTHY',
    returned: true,
  });
  t.deepEqual((await device.events()).slice(-3), [
    'switching',
    'failed GATE_UNHEALTHY',
    'rolledBack GATE_UNHEALTHY',
  ]);
  device.loop.ring();
  await device.settled();
  t.is(device.run.calls.filter((call) => call === 'stop web').length, 2);
});

test('A release whose program cannot start fails with the runtime’s own code', async (t) => {
  const device = await aDevice(t);
  device.run.conduct.set(digestFor('web:v1'), 'cannot-start');
  await device.ask(v1);
  const { observed } = await device.settled();
  t.is(observed.failed[0]?.code, 'BOX_EXEC');
  t.deepEqual(device.run.running(), []);
});

test('A pull that fails is tried again later; one that can never succeed fails the release', async (t) => {
  const device = await aDevice(t);
  device.pull.failures.push(new CodedError('NO_SPACE', 'full'));
  await device.ask(v1);
  await device.settled();
  const webPulls = device.pull.calls.filter((call) => call === device.pull.calls[0]);
  t.is(webPulls.length, 2, 'the pull that failed was made again, once');
  t.deepEqual(await device.store.journal.backoffs(), []);
  device.pull.failures.push(new CodedError('IMAGE_PLATFORM', 'not for this machine'));
  await device.ask(v2);
  const { observed } = await device.settled();
  t.is(observed.failed[0]?.code, 'IMAGE_PLATFORM');
  t.deepEqual(device.run.running(), [idOf(web('v1')), idOf(db)]);
});

test('A newer desired in the middle of a pull ends that pull', async (t) => {
  const device = await aDevice(t);
  device.pull.endless.add(digestFor('web:v1'));
  await device.ask(v1);
  await device.until(({ steps }) => steps[0]?.kind === 'pull');
  await device.ask(v2);
  const { observed } = await device.settled();
  t.is(observed.good, releaseDigest(v2));
  t.is(device.pull.givenUp, 1);
  t.deepEqual(await device.store.journal.backoffs(), [], 'being given up is no failure');
});

test('While an image is pulled, a container whose keeper is gone is started again', async (t) => {
  const device = await aDevice(t);
  await device.ask(v1);
  await device.settled();
  device.pull.endless.add(digestFor('web:v2'));
  await device.ask(v2);
  await device.until(({ steps }) => steps[0]?.kind === 'pull');
  device.run.loseKeeper(idOf(db));
  const isBack = (): boolean => device.run.calls.filter((call) => call === 'start db').length === 2;
  for (let at = 0; at < 500 && !isBack(); at += 1) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  t.deepEqual(device.run.running(), [idOf(web('v1')), idOf(db)]);
});

test('A keeper that was killed without a word is missed and its container started again', async (t) => {
  const device = await aDevice(t);
  await device.ask(v1);
  await device.settled();
  device.run.loseKeeper(idOf(db), 'silently');
  const isBack = (): boolean => device.run.running().includes(idOf(db));
  for (let at = 0; at < 1000 && !isBack(); at += 1) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  t.true(isBack());
});

test('The agent ends and comes back: what runs is not touched, and a trial goes on', async (t) => {
  const first = await aDevice(t);
  await first.ask(aRelease({ gate: { bakeMs: 800, deadlineMs: 5000 }, workloads: [web('v1')] }));
  await first.until(({ observed }) => observed.trial?.wellSinceMs != null);
  const { places, run } = first;
  await first.loop.close();
  await first.store.close();
  const calls = run.calls.length;
  const second = await aDevice(t, { places, run });
  const { observed } = await second.until(({ steps }) => steps.length === 0);
  t.not(observed.good, null);
  t.is(run.calls.length, calls);
});

test('After a reboot all starts from local state, with no pull and no new gate', async (t) => {
  const first = await aDevice(t);
  await first.ask(v1);
  await first.settled();
  const { places, run } = first;
  await first.loop.close();
  await first.store.close();
  for (const id of run.running()) run.loseKeeper(id);
  const second = await aDevice(t, { places, run, bootId: 'boot-2' });
  await second.until(({ steps }) => steps.length === 0);
  t.deepEqual(run.running(), [idOf(web('v1')), idOf(db)]);
  t.deepEqual(second.pull.calls, []);
  t.is((await second.events()).filter((type) => type === 'good').length, 1);
});

test('Asked to run nothing, it stops all and says that this is good', async (t) => {
  const device = await aDevice(t);
  await device.ask(v1);
  await device.settled();
  await device.ask(null);
  const { observed } = await device.settled();
  t.deepEqual(observed.containers, []);
  t.is(observed.good, null);
  t.is((await device.events()).at(-1), 'good');
});

test('A partial bundle, one of two images blocked, changes nothing of what runs', async (t) => {
  const device = await aDevice(t);
  await device.ask(v1);
  await device.settled();
  const calls = device.run.calls.length;
  const cache = aWorkload({ name: 'cache' });
  device.pull.endless.add(cache.image.digest);
  await device.ask(aRelease({ gate, version: 'v3', counter: 3, workloads: [web('v2'), cache] }));
  await device.until(
    ({ steps: [step] }) => step?.kind === 'pull' && step.image === cache.image.digest,
  );
  t.is(device.run.calls.length, calls);
  t.deepEqual(device.run.running(), [idOf(web('v1')), idOf(db)]);
});

test('What no image holds is swept when all is quiet, and not while something is pulled', async (t) => {
  const device = await aDevice(t);
  await device.ask(v1);
  await device.settled();
  const staged = await device.store.layers.stage(digestFor('orphan'));
  await staged.commit({ unpackedBytes: 1 });
  t.false(await device.loop.holding(() => device.loop.sweep()));
  t.true(await device.loop.sweep());
  t.is(await device.store.layers.dirOf(digestFor('orphan')), undefined);
  t.not(await device.store.layers.dirOf(digestFor('base')), undefined);
});
