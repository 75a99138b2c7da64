// SPDX-License-Identifier: Apache-2.0
// Variables on their way from an operator to the devices: by the API, in the signed assignment, with a new
// generation of the same release and rollout, and only where something changes.

import test from 'ava';
import type { Assignment } from '../../protocol/assignment.js';
import { joinDevice } from '../kit/fleet-device.js';
import { aClaim, aFleet, aRelease, startRollout, until } from '../kit/fleet-server.js';

test('a variable that is set reaches those it is for, and a label moves a device under another one', async (t) => {
  const fleet = await aFleet(t);
  const code = await aClaim(fleet, 2);
  const [a, b] = await Promise.all(['a', 'b'].map((name) => joinDevice(t, code, name)));
  if (a === undefined || b === undefined) throw new Error('no devices');
  const { client } = fleet;
  const set = (body: object) => client.post('/v1/variables', body);
  await set({ selector: {}, variables: { SITE: 'anywhere' } });
  const rollout = await startRollout(fleet, await aRelease(fleet, 'v1', 1));
  await until(
    () => client.get<{ state: string }>(`/v1/rollouts/${rollout.id}`),
    ({ state }) => state === 'succeeded',
  );
  const last = (device: typeof a): Assignment | undefined => device.assignments.at(-1);
  t.deepEqual(last(a)?.variables, { SITE: 'anywhere' });
  const before = last(b);

  await set({ device: 'a', variables: { SITE: 'graz', X: '1' } });
  const changed = await until(
    async () => last(a),
    (found) => found?.variables?.['X'] === '1',
  );
  t.like(changed, {
    variables: { SITE: 'graz', X: '1' },
    rollout: rollout.id,
    release: { digest: before?.release?.digest },
  });
  t.is(changed?.generation, 2);
  await fleet.served().loop.settled();
  t.is(last(b)?.generation, before?.generation, 'the other one hears nothing');

  await set({ selector: { ring: 'early' }, variables: { RING: 'yes' } });
  await client.post('/v1/devices/b/labels', { labels: { ring: 'early' } });
  await until(
    async () => last(b),
    (found) => found?.variables?.['RING'] === 'yes',
  );
  await set({ device: 'a', variables: { X: null, SITE: null } });
  await until(
    async () => last(a),
    (found) => found?.variables?.['X'] === undefined,
  );
  t.deepEqual(last(a)?.variables, { SITE: 'anywhere' });
});

test('a request for both a device and labels, for neither, or for a name of the device’s own is refused', async (t) => {
  const { client } = await aFleet(t);
  const post = (body: object) => client.post('/v1/variables', body);
  for (const body of [
    { variables: { A: '1' } },
    { device: 'a', selector: {}, variables: { A: '1' } },
    { selector: {}, variables: { WHERRY_DEVICE: '1' } },
    { selector: {}, variables: { 'A B': '1' } },
  ]) {
    await t.throwsAsync(post(body), { code: 'SHAPE_BAD' });
  }
  await t.throwsAsync(post({ device: 'none', variables: { A: '1' } }), { code: 'DEVICE_UNKNOWN' });
});
