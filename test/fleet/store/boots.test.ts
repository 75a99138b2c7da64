// SPDX-License-Identifier: Apache-2.0
// Only what is newer counts: duplicates, late arrivals and boots that were left say nothing.

import test from 'ava';
import { isNews, leftRowCountMax, type Spoken } from '../../../fleet/store/boots.js';
import { aStore } from '../../kit/fleet-store.js';

async function listener(
  t: Parameters<typeof aStore>[0],
): Promise<(kind: Spoken, bootId: string, seq: number, device?: string) => Promise<boolean>> {
  const db = await aStore(t, 'a', 'b');
  return (kind, bootId, seq, device = 'a') =>
    db.transaction((tx) => isNews(tx, device, kind, { bootId, seq }, 1));
}

test('a repeat and a late arrival are no news', async (t) => {
  const hear = await listener(t);
  t.true(await hear('reported', 'x', 1));
  t.true(await hear('reported', 'x', 3));
  t.false(await hear('reported', 'x', 3));
  t.false(await hear('reported', 'x', 2));
  t.true(await hear('reported', 'x', 4));
});

test('topics have no order among each other, so each kind counts for itself', async (t) => {
  const hear = await listener(t);
  t.true(await hear('reported', 'x', 9));
  t.true(await hear('event', 'x', 4));
  t.true(await hear('hello', 'x', 1));
});

test('a new boot takes over whatever its numbers are, and the one before does not come back', async (t) => {
  const hear = await listener(t);
  t.true(await hear('hello', 'x', 100));
  t.true(await hear('hello', 'y', 1));
  t.false(await hear('hello', 'x', 101));
  t.false(await hear('reported', 'x', 102));
  t.true(await hear('reported', 'y', 2));
});

test('events may come late from the boot before, once each', async (t) => {
  const hear = await listener(t);
  t.true(await hear('hello', 'x', 1));
  t.true(await hear('hello', 'y', 1));
  t.true(await hear('event', 'x', 7));
  t.false(await hear('event', 'x', 7));
});

test('an event that is the first word of a boot does not shut that boot out', async (t) => {
  const hear = await listener(t);
  t.true(await hear('hello', 'x', 1));
  t.true(await hear('event', 'y', 1));
  t.true(await hear('hello', 'y', 2));
});

test('birth and will of one connection share a number; those of a connection before are late', async (t) => {
  const hear = await listener(t);
  t.true(await hear('presence', 'x', 1));
  t.true(await hear('presence', 'x', 1));
  t.true(await hear('presence', 'x', 9));
  t.false(await hear('presence', 'x', 1));
  t.true(await hear('presence', 'y', 1));
  t.false(await hear('presence', 'x', 9));
});

test('devices do not share their counts', async (t) => {
  const hear = await listener(t);
  t.true(await hear('hello', 'x', 5));
  t.true(await hear('hello', 'x', 1, 'b'));
});

test('Attack: events with 1000 made-up boots leave a bounded number of rows, and shut no real boot out', async (t) => {
  const db = await aStore(t, 'a');
  const hear = (kind: Spoken, bootId: string, seq: number): Promise<boolean> =>
    db.transaction((tx) => isNews(tx, 'a', kind, { bootId, seq }, 1));
  t.true(await hear('hello', 'x', 1));
  t.true(await hear('event', 'x', 2));
  t.true(await hear('hello', 'y', 1));
  for (let at = 0; at < 1000; at += 1) await hear('event', `forged-${at}`, 1);
  for (let at = 0; at < 150; at += 1) await hear('presence', `left-${at}`, 1);
  const row = await db.get<{ count: number }>('SELECT count(*) AS count FROM boots');
  t.true((row?.count ?? 0) <= leftRowCountMax.event + leftRowCountMax.other + 4, `${row?.count}`);
  t.false(await hear('hello', 'left-140', 9), 'a boot that was left does not come back');
  t.true(await hear('event', 'left-149', 3));
  t.false(await hear('event', 'left-149', 3));
});

test('a device that nobody enrolled is not heard', async (t) => {
  const hear = await listener(t);
  t.false(await hear('hello', 'x', 1, 'nobody'));
});
