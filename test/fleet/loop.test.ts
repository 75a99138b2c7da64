// SPDX-License-Identifier: Apache-2.0
// The fleet's loop with everything real but the devices' insides: broker, certificates, signatures, database.

import test from 'ava';
import type { ApiDevice, ApiEvent, ApiRollout } from '../../protocol/api.js';
import { hexOf, isDigest } from '../../protocol/name.js';
import { joinDevice, type TestDevice } from '../kit/fleet-device.js';
import {
  aClaim,
  aFleet,
  aRelease,
  startRollout,
  type TestFleet,
  until,
} from '../kit/fleet-server.js';

const hex = (digest: string): string => (isDigest(digest) ? hexOf(digest) : '');

function ended({ client }: TestFleet, { id }: ApiRollout): Promise<ApiRollout> {
  return until(
    () => client.get<ApiRollout>(`/v1/rollouts/${id}`),
    ({ state }) => state !== 'running',
  );
}

const generations = (device: TestDevice): number[] =>
  device.assignments.map(({ generation }) => generation);

test('a rollout goes wave by wave to the end, and each device gets a signed assignment', async (t) => {
  const fleet = await aFleet(t);
  const code = await aClaim(fleet, 3);
  const devices = await Promise.all(['a', 'b', 'c'].map((name) => joinDevice(t, code, name)));
  const release = await aRelease(fleet, 'v1', 1);
  const rollout = await startRollout(fleet, release);
  t.deepEqual(
    rollout.waves.map((wave) => wave.devices),
    [1, 2],
  );
  const end = await ended(fleet, rollout);
  t.is(end.state, 'succeeded', end.message ?? '');
  t.deepEqual(
    end.waves.map(({ state, good }) => [state, good]),
    [
      ['passed', 1],
      ['passed', 2],
    ],
  );
  for (const device of devices) {
    t.is(device.assignments[0]?.release?.digest as string, release.digest);
    t.is(device.assignments[0]?.rollout, rollout.id);
    t.true(device.releases.has(hex(release.digest)));
  }
  const events = await fleet.client.get<ApiEvent[]>('/v1/events');
  t.deepEqual(
    events.filter((event) => event.rollout === rollout.id).map(({ type }) => type),
    ['rolloutStarted', 'waveOpened', 'wavePassed', 'waveOpened', 'wavePassed', 'rolloutSucceeded'],
  );
});

test('a sick release stops at the canary: the others never hear of it, and the reason is the device’s own', async (t) => {
  const fleet = await aFleet(t);
  const code = await aClaim(fleet, 3);
  const devices = await Promise.all(
    ['a', 'b', 'c'].map((name) => joinDevice(t, code, name, 'sick')),
  );
  const rollout = await startRollout(fleet, await aRelease(fleet, 'v1', 1));
  const end = await ended(fleet, rollout);
  t.is(end.state, 'failed');
  t.is(end.code, 'ROLLOUT_GATE');
  const canary = devices.find(({ assignments }) => assignments.length > 0)?.name ?? '';
  t.deepEqual(end.facts, { device: canary, cause: 'BOX_EXEC', wave: 0 });
  t.is(end.message, `device ${canary} failed in wave 0: BOX_EXEC: web: no such program`);
  await fleet.served().loop.settled();
  t.is(devices.filter(({ assignments }) => assignments.length > 0).length, 1);
  t.deepEqual(
    end.waves.map(({ state }) => state),
    ['failed', 'pending'],
  );
});

test('a mute device fails the rollout at the deadline, by the clock alone', async (t) => {
  const fleet = await aFleet(t);
  await joinDevice(t, await aClaim(fleet), 'a', 'mute');
  const rollout = await startRollout(fleet, await aRelease(fleet, 'v1', 1), { deadlineMs: 1000 });
  const end = await ended(fleet, rollout);
  t.deepEqual(end.facts, { device: 'a', cause: 'ROLLOUT_SILENT', wave: 0 });
});

test('hello is answered where the device has less, and with nothing where it has all', async (t) => {
  const fleet = await aFleet(t);
  const device = await joinDevice(t, await aClaim(fleet), 'a');
  const release = await aRelease(fleet, 'v1', 1);
  await ended(fleet, await startRollout(fleet, release));
  device.assignments.length = 0; // it forgot all
  await device.hello();
  await until(
    () => generations(device),
    (all) => all.length === 1,
  );
  t.deepEqual(generations(device), [1]);

  device.releases.clear();
  const [digest] = device.assignments.map((one) => one.release?.digest);
  await device.hello({ missing: digest === undefined ? [] : [digest] });
  await until(
    () => device.releases.size,
    (size) => size > 0,
  );
  t.true(device.releases.has(hex(release.digest)));
});

test('a device that remembers a later generation gets the same release above it', async (t) => {
  const fleet = await aFleet(t);
  const device = await joinDevice(t, await aClaim(fleet), 'a');
  const release = await aRelease(fleet, 'v1', 1);
  await ended(fleet, await startRollout(fleet, release));
  await device.hello({ epoch: 1, generation: 70, release: null });
  await until(
    () => generations(device),
    (all) => all.includes(71),
  );
  t.is(device.assignments.at(-1)?.release?.digest as string, release.digest);
});

test('a device that comes after a rollout gets its release with its first hello, and not with --no-catch-up', async (t) => {
  const fleet = await aFleet(t);
  const code = await aClaim(fleet, 3);
  await joinDevice(t, code, 'a');
  const release = await aRelease(fleet, 'v1', 1);
  const rollout = await startRollout(fleet, release);
  await ended(fleet, rollout);

  const late = await joinDevice(t, code, 'late');
  await late.hello();
  await until(
    () => generations(late),
    (all) => all.length === 1,
  );
  t.is(late.assignments[0]?.release?.digest as string, release.digest);
  t.true(late.releases.has(hex(release.digest)));
  const events = await fleet.client.get<ApiEvent[]>('/v1/events?device=late&type=caughtUp');
  t.like(events, [{ rollout: rollout.id, release: release.digest }]);

  const next = await startRollout(fleet, await aRelease(fleet, 'v2', 2), { catchUp: false });
  await ended(fleet, next);
  const later = await joinDevice(t, code, 'later');
  await later.hello();
  await until(
    () => fleet.client.get<ApiDevice>('/v1/devices/later'),
    ({ agent }) => agent !== null,
  );
  t.deepEqual(generations(later), []);
});

test('a broker that lost everything is filled again from the database', async (t) => {
  const fleet = await aFleet(t);
  const device = await joinDevice(t, await aClaim(fleet), 'a');
  const release = await aRelease(fleet, 'v1', 1);
  await ended(fleet, await startRollout(fleet, release));
  device.assignments.length = 0;
  device.releases.clear();
  await fleet.restart();
  // It says no hello: what it gets is what the new broker holds.
  await until(
    () => [device.assignments.length, device.releases.size],
    ([assigned, released]) => assigned === 1 && released === 1,
  );
  t.deepEqual(generations(device), [1]);
});

test('a rollout goes on after the server was away', async (t) => {
  const fleet = await aFleet(t);
  const code = await aClaim(fleet, 2);
  const devices = await Promise.all(['a', 'b'].map((name) => joinDevice(t, code, name, 'mute')));
  const rollout = await startRollout(fleet, await aRelease(fleet, 'v1', 1), { deadlineMs: 60_000 });
  await until(
    () => devices.some(({ assignments }) => assignments.length > 0),
    (some) => some,
  );
  await fleet.restart();
  for (const device of devices) device.conduct = 'good';
  const canary = devices.find(({ assignments }) => assignments.length > 0);
  const digest = canary?.assignments[0]?.release?.digest ?? null;
  await until(
    () => canary?.mqtt.connected,
    (connected) => connected === true,
  );
  await canary?.report({ release: digest, good: digest });
  t.is((await ended(fleet, rollout)).state, 'succeeded');
});

test('a release that nobody needs any more is taken off the broker', async (t) => {
  const fleet = await aFleet(t);
  const device = await joinDevice(t, await aClaim(fleet), 'a');
  const first = await aRelease(fleet, 'v1', 1);
  await ended(fleet, await startRollout(fleet, first));
  await ended(fleet, await startRollout(fleet, await aRelease(fleet, 'v2', 2)));
  await until(
    () => device.releases.get(hex(first.digest)),
    (text) => text === '',
  );
  t.deepEqual(generations(device), [1, 2]);
});

test('a newer rollout takes the devices over, and the older one ends', async (t) => {
  const fleet = await aFleet(t);
  await joinDevice(t, await aClaim(fleet), 'a', 'mute');
  const older = await startRollout(fleet, await aRelease(fleet, 'v1', 1));
  await startRollout(fleet, await aRelease(fleet, 'v2', 2));
  const end = await ended(fleet, older);
  t.is(end.state, 'aborted');
  t.is(end.code, 'ROLLOUT_SUPERSEDED');
});

test('a revoked device loses its connection, its desired and its place', async (t) => {
  const fleet = await aFleet(t);
  const device = await joinDevice(t, await aClaim(fleet), 'a', 'mute');
  const rollout = await startRollout(fleet, await aRelease(fleet, 'v1', 1));
  await fleet.client.post('/v1/devices/a/revoke');
  await until(
    () => device.mqtt.connected,
    (connected) => !connected,
  );
  const end = await ended(fleet, rollout);
  t.is(end.code, 'DEVICE_REVOKED');
  const refused = await t.throwsAsync(startRollout(fleet, await aRelease(fleet, 'v2', 2)));
  t.regex(refused?.message ?? '', /no device in service/);
});

test('who is online is known: birth, will, and after a restart of the server again', async (t) => {
  const fleet = await aFleet(t);
  const device = await joinDevice(t, await aClaim(fleet), 'a');
  const online = async (): Promise<boolean> =>
    (await fleet.client.get<ApiDevice>('/v1/devices/a')).online;
  await until(online, (is) => is);
  await fleet.restart();
  await until(online, (is) => is);
  await fleet.client.post('/v1/devices/a/revoke');
  await until(online, (is) => !is);
  t.false(device.mqtt.connected);
});

test('attack: hostile payloads change nothing and stop nothing', async (t) => {
  const fleet = await aFleet(t);
  const device = await joinDevice(t, await aClaim(fleet), 'a');
  const texts = [
    'no json',
    '{"__proto__": {}}',
    '[]',
    '{"bootId":"b","bootId":"b"}',
    JSON.stringify({ bootId: 'b', seq: -1 }),
    '['.repeat(2000),
    'x'.repeat(100_000),
  ];
  for (const text of texts) {
    for (const up of ['hello', 'reported', 'event'] as const) await device.send(up, text);
  }
  const before = await fleet.client.get<ApiDevice>('/v1/devices/a');
  t.is(before.platform, null);
  t.is(before.reported, null);
  await device.hello();
  const seen = await until(
    () => fleet.client.get<ApiDevice>('/v1/devices/a'),
    ({ platform }) => platform !== null,
  );
  t.is(seen.platform, 'linux/arm64');
});
