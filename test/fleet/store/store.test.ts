// SPDX-License-Identifier: Apache-2.0
// What the database guarantees: generations, counters, names, retention.

import { join } from 'node:path';
import test from 'ava';
import { type Db, openDb } from '../../../adapters/sqlite.js';
import { assign, newestAssignment } from '../../../fleet/store/assignments.js';
import { enrolDevice, findDevice, revokeDevice } from '../../../fleet/store/devices.js';
import { addEvent, addTold, listEvents, toldCountMax } from '../../../fleet/store/events.js';
import { addRelease, needRelease, retention, setRetained } from '../../../fleet/store/releases.js';
import { migrations } from '../../../fleet/store/schema.js';
import { codeOf } from '../../../protocol/error.js';
import type { Digest } from '../../../protocol/name.js';
import { tempFolder } from '../../kit/fleet-server.js';
import { addDevice, aStore } from '../../kit/fleet-store.js';

const digestN = (n: number): Digest => `sha256:${String(n).padStart(64, '0')}`;

function add(db: Db, n: number, counter: number, version = `v${n}`): Promise<boolean> {
  const release = { digest: digestN(n), app: 'shop', version, counter, keyid: 'k' };
  return db.transaction((tx) =>
    addRelease(tx, { ...release, envelope: '{}', createdAt: '2026-01-01T00:00:00Z' }, n),
  );
}

function give(db: Db, device: string, release: Digest | null): Promise<number> {
  const wanted = { device, epoch: 1, release, rollout: null };
  return db.transaction(
    async (tx) => (await assign(tx, wanted, (n) => `envelope ${n}`, 1)).generation,
  );
}

test('generations grow by one for each device, also when many are given at once', async (t) => {
  const db = await aStore(t, 'a', 'b');
  const given = await Promise.all(Array.from({ length: 20 }, () => give(db, 'a', null)));
  t.deepEqual(
    given.sort((x, y) => x - y),
    Array.from({ length: 20 }, (_, n) => n + 1),
  );
  t.is(await give(db, 'b', null), 1);
  t.is((await newestAssignment(db, 'a'))?.envelope, 'envelope 20');
});

test('a generation goes above what the device remembers, unless that is beyond belief', async (t) => {
  const db = await aStore(t, 'a');
  await db.run("UPDATE devices SET generation = 41 WHERE device = 'a'");
  t.is(await give(db, 'a', null), 42);
  await db.run("UPDATE devices SET generation = 9007199254740991 WHERE device = 'a'");
  t.is(await give(db, 'a', null), 43);
});

test('if signing fails, nothing is given', async (t) => {
  const db = await aStore(t, 'a');
  const wanted = { device: 'a', epoch: 1, release: null, rollout: null };
  const failing = db.transaction((tx) =>
    assign(
      tx,
      wanted,
      () => {
        throw new Error('no key');
      },
      1,
    ),
  );
  await t.throwsAsync(failing, { message: 'no key' });
  t.is(await newestAssignment(db, 'a'), undefined);
});

test('a release counter only grows within its app, a version is given once, the same release is no error', async (t) => {
  const db = await aStore(t);
  t.true(await add(db, 1, 5));
  t.false(await add(db, 1, 5));
  t.is(codeOf(await t.throwsAsync(add(db, 2, 5))), 'RELEASE_COUNTER');
  t.is(codeOf(await t.throwsAsync(add(db, 3, 4))), 'RELEASE_COUNTER');
  t.is(codeOf(await t.throwsAsync(add(db, 4, 6, 'v1'))), 'RELEASE_EXISTS');
  t.true(await add(db, 5, 9));
  t.is((await needRelease(db, 'shop:v5')).digest, digestN(5));
  t.is((await needRelease(db, digestN(1))).version, 'v1');
  t.is(codeOf(await t.throwsAsync(needRelease(db, 'shop:v9'))), 'RELEASE_UNKNOWN');
  t.is(codeOf(await t.throwsAsync(needRelease(db, 'shop'))), 'RELEASE_UNKNOWN');
});

test('a release is needed on the broker while it is the newest of some device in service', async (t) => {
  const db = await aStore(t, 'a', 'b');
  for (const n of [1, 2]) await add(db, n, n);
  await give(db, 'a', digestN(1));
  await give(db, 'b', digestN(2));
  for (const n of [1, 2]) await setRetained(db, digestN(n), true);
  t.deepEqual(await retention(db), { needed: [digestN(1), digestN(2)], surplus: [] });
  await give(db, 'a', digestN(2));
  t.deepEqual(await retention(db), { needed: [digestN(2)], surplus: [digestN(1)] });
  await db.transaction((tx) => revokeDevice(tx, 'b', 1));
  await give(db, 'a', null);
  t.deepEqual(await retention(db), { needed: [], surplus: [digestN(1), digestN(2)] });
});

test('the same key is the same device, another key never gets a name that is taken', async (t) => {
  const db = await aStore(t);
  t.is(await addDevice(db, 'kitchen'), 'kitchen');
  t.is(await addDevice(db, 'kitchen', { site: 'b' }), 'kitchen');
  t.deepEqual((await findDevice(db, 'kitchen'))?.labels, { site: 'b' });
  const keyHash = 'f'.repeat(64);
  const stranger = { keyHash, name: 'kitchen', serial: undefined, labels: {} };
  t.is(await db.transaction((tx) => enrolDevice(tx, stranger, 1)), `kitchen-${'f'.repeat(16)}`);
  const nameless = { keyHash: 'e'.repeat(64), name: undefined, serial: undefined, labels: {} };
  t.is(await db.transaction((tx) => enrolDevice(tx, nameless, 1)), `device-${'e'.repeat(16)}`);
});

test('a revoked key does not come back', async (t) => {
  const db = await aStore(t, 'a');
  await db.transaction((tx) => revokeDevice(tx, 'a', 1));
  t.is(codeOf(await t.throwsAsync(addDevice(db, 'a'))), 'DEVICE_REVOKED');
});

test('Attack: one device tells events without end: its own go, those of others and the fleet’s stay', async (t) => {
  const db = await aStore(t);
  const at = '2026-01-01T00:00:00Z';
  await addEvent(db, { type: 'enrolled', device: 'loud', at });
  await addEvent(db, { type: 'rolloutStarted', rollout: 'r-1', at });
  await addTold(db, { type: 'good', device: 'quiet', at });
  await db.transaction(async (tx) => {
    for (let n = 0; n < toldCountMax + 100; n += 1) {
      await addTold(tx, { type: 'pulling', device: 'loud', at });
    }
  });
  const count = async (where: string): Promise<number | undefined> =>
    (await db.get<{ n: number }>(`SELECT count(*) AS n FROM events WHERE ${where}`))?.n;
  t.is(await count("device = 'loud' AND told = 1"), toldCountMax);
  t.is(await count("device = 'quiet'"), 1);
  t.is(await count('told = 0'), 2);
  const [first] = await listEvents(db, { device: 'loud', type: null, after: 0, limit: 9 });
  t.is(first?.type, 'enrolled');
  t.false(Object.hasOwn(first ?? {}, 'told'), 'the API does not show it');
});

test('events of a database from before are sorted into those of devices and those of the fleet', async (t) => {
  const path = join(await tempFolder(t), 'fleet.db');
  const old = await openDb(path, migrations.slice(0, 2));
  const insert = 'INSERT INTO events (device, type, at) VALUES (?, ?, ?)';
  for (const [device, type] of [
    ['a', 'enrolled'],
    ['a', 'good'],
    [null, 'rolloutStarted'],
  ] as const) {
    await old.db.run(insert, [device, type, '2026-01-01T00:00:00Z']);
  }
  await old.db.close();
  const { db } = await openDb(path, migrations);
  t.teardown(() => db.close());
  const rows = await db.all<{ type: string; told: number }>('SELECT type, told FROM events');
  t.deepEqual(
    rows.map(({ type, told }) => `${type} ${told}`),
    ['enrolled 0', 'good 1', 'rolloutStarted 0'],
  );
});

test('events are read newest last, or from where one stopped', async (t) => {
  const db = await aStore(t);
  const at = '2026-01-01T00:00:00Z';
  for (const type of ['one', 'two', 'three']) await addEvent(db, { type, at, device: 'a' });
  await addEvent(db, { type: 'other', at, device: 'b', counts: { bytesFetched: 7 } });
  const read = async (after: number | null, device: string | null): Promise<string[]> =>
    (await listEvents(db, { device, after, type: null, limit: 2 })).map(({ type }) => type);
  t.deepEqual(await read(null, null), ['three', 'other']);
  t.deepEqual(await read(null, 'a'), ['two', 'three']);
  t.deepEqual(await read(0, null), ['one', 'two']);
  t.deepEqual(await read(3, null), ['other']);
});
