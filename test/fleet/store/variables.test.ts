// SPDX-License-Identifier: Apache-2.0
// Variables of devices: which one wins, what is refused, and who is due for another assignment.

import test from 'ava';
import { setLabels } from '../../../fleet/store/devices.js';
import {
  listVariables,
  type Scope,
  setVariables,
  takeDue,
  variablesFor,
} from '../../../fleet/store/variables.js';
import { addDevice, aStore } from '../../kit/fleet-store.js';

test('a device’s own wins over its labels’, more labels over fewer, and those over all', async (t) => {
  const db = await aStore(t);
  await addDevice(db, 'a', { site: 'graz', ring: '1' });
  await addDevice(db, 'b', { site: 'graz' });
  await addDevice(db, 'c');
  const set = (scope: Scope, values: Record<string, string | null>) =>
    db.transaction((tx) => setVariables(tx, scope, values));
  await set({ device: 'a' }, { D: 'own' });
  await set({ selector: { ring: '1', site: 'graz' } }, { D: 'two', C: 'two' });
  await set({ selector: { site: 'graz' } }, { D: 'one', C: 'one', B: 'one' });
  await set({ selector: {} }, { D: 'all', C: 'all', B: 'all', A: 'all' });
  t.deepEqual(await variablesFor(db, 'a'), { A: 'all', B: 'one', C: 'two', D: 'own' });
  t.deepEqual(await variablesFor(db, 'b'), { A: 'all', B: 'one', C: 'one', D: 'one' });
  t.deepEqual(await variablesFor(db, 'c'), { A: 'all', B: 'all', C: 'all', D: 'all' });
  await set({ device: 'a' }, { D: null });
  t.is((await variablesFor(db, 'a'))['D'], 'two');
  await set({ selector: { site: 'graz', ring: '1' } }, { D: null, C: null });
  t.is((await listVariables(db)).length, 7, 'the order of labels does not matter');
});

test('those are due whom a change meets, once, and not those whom it does not', async (t) => {
  const db = await aStore(t);
  await addDevice(db, 'a', { site: 'graz' });
  await addDevice(db, 'b', { site: 'linz' });
  await db.transaction((tx) => setVariables(tx, { selector: { site: 'graz' } }, { A: '1' }));
  await db.transaction((tx) => setVariables(tx, { device: 'a' }, { B: '1' }));
  t.deepEqual(await takeDue(db, 10), ['a']);
  t.deepEqual(await takeDue(db, 10), []);
});

test('what does not exist, and what is more than an assignment carries, changes nothing', async (t) => {
  const db = await aStore(t);
  await addDevice(db, 'a', { site: 'graz' });
  const set = (scope: Scope, values: Record<string, string | null>) =>
    db.transaction((tx) => setVariables(tx, scope, values));
  await t.throwsAsync(set({ device: 'z' }, { A: '1' }), { code: 'DEVICE_UNKNOWN' });
  await t.throwsAsync(set({ device: 'a' }, { A: null }), { code: 'VARIABLE_UNKNOWN' });
  await set({ selector: {} }, { A: 'x'.repeat(3000) });
  const error = await t.throwsAsync(set({ device: 'a' }, { B: 'x'.repeat(3000) }), {
    code: 'VARIABLE_LARGE',
  });
  t.regex(error?.message ?? '', /^device a: .*4096 bytes/);
  t.deepEqual(Object.keys(await variablesFor(db, 'a')), ['A']);
  await db.transaction((tx) => setLabels(tx, 'a', {}));
  t.deepEqual(Object.keys(await variablesFor(db, 'a')), ['A']);
});
