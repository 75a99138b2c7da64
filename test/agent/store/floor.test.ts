// SPDX-License-Identifier: Apache-2.0
// Invariant 5, over damage: what the device has accepted and what was good on it is known twice, and only the
// loss of both opens the way back. Every damage is real bytes in real files.

import { open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { acceptAssignment } from '../../../agent/desired/assignment.js';
import type { Store } from '../../../agent/store/types.js';
import type { Envelope } from '../../../protocol/envelope.js';
import { codeOf } from '../../../protocol/error.js';
import { aRelease } from '../../kit/agent-docs.js';
import { someKeys } from '../../kit/agent-signed.js';
import { aRoot, aStore } from '../../kit/agent-store.js';

const keys = someKeys();
const good = aRelease({ counter: 7 });
const { text, digest } = keys.release(good);

const give = (store: Store, generation: number, counter = 7): Promise<string> =>
  acceptAssignment(keys.assignment({ generation, release: { digest, app: 'shop', counter } }), {
    believer: keys.believer,
    store,
    nowMs: Date.parse('2026-06-01T00:00:00Z'),
  }).then(
    ({ is }) => is,
    (error: unknown) => codeOf(error),
  );

/** Generation 50 is accepted, counter 7 is good; then the agent ends. */
async function aPast(t: ExecutionContext): Promise<Parameters<typeof aStore>[1] & object> {
  const places = await aRoot(t);
  const { store } = await aStore(t, { places });
  t.is(await give(store, 50), 'new');
  await store.desired.putRelease(digest, good, JSON.parse(text) as Envelope);
  await store.verdicts.commit(digest);
  await store.close();
  return { places };
}

type Past = Awaited<ReturnType<typeof aPast>>;

const fileOf = ({ places }: Past, name: string): string => join(places?.state ?? '', name);

/** One page in the middle of the file is worn out. */
async function wearOut(past: Past): Promise<void> {
  const path = fileOf(past, 'wherry.db');
  const file = await open(path, 'r+');
  for (const page of [0, 1]) await file.write(Buffer.alloc(4096, 0xa5), 0, 4096, page * 4096);
  await file.close();
}

async function knowsAll(t: ExecutionContext, store: Store): Promise<void> {
  t.is(await give(store, 3), 'DESIRED_STALE');
  t.is(await give(store, 51, 6), 'DESIRED_OLD_RELEASE');
  t.false(await store.desired.isFloorLost());
  t.is(await give(store, 51), 'new');
}

test('Attack: a page of the database is damaged, and an old assignment is replayed: it is refused', async (t) => {
  const past = await aPast(t);
  await wearOut(past);
  const { store, recovered } = await aStore(t, past);
  t.true(recovered);
  await knowsAll(t, store);
});

test('After the damage the last assignment itself is taken again, and no other one in its place', async (t) => {
  const past = await aPast(t);
  await wearOut(past);
  const { store } = await aStore(t, past);
  const other = keys.assignment({ generation: 50, release: null });
  const context = { believer: keys.believer, store, nowMs: 0 };
  const varied = keys.assignment({
    generation: 50,
    release: { digest, app: 'shop', counter: 7 },
    variables: { site: 'north' },
  });
  for (const text of [other, varied]) {
    const error = await t.throwsAsync(acceptAssignment(text, context));
    t.is(codeOf(error), 'DESIRED_EQUIVOCATION');
  }
  t.is(await give(store, 50), 'new');
  t.is((await store.desired.assignment())?.assignment.generation, 50);
});

for (const [what, damage] of [
  ['damaged', (path: string) => writeFile(path, 'x')],
  [
    'flipped in one digit',
    async (path: string) => writeFile(path, (await readFile(path, 'utf8')).replace('50', '10')),
  ],
  ['gone', (path: string) => rm(path)],
] as const) {
  test(`Attack: the second copy is ${what}: the database alone knows all, and mends it`, async (t) => {
    const past = await aPast(t);
    await damage(fileOf(past, 'floor.json'));
    const { store } = await aStore(t, past);
    t.is(await give(store, 3), 'DESIRED_STALE');
    await store.close();
    await wearOut(past);
    await knowsAll(t, (await aStore(t, past)).store);
  });
}

test('Both copies are damaged: the device is as new, and says so until a release is good again', async (t) => {
  const past = await aPast(t);
  await wearOut(past);
  await writeFile(fileOf(past, 'floor.json'), '{}');
  const { store } = await aStore(t, past);
  t.true(await store.desired.isFloorLost());
  t.is(await give(store, 3), 'new');
  await store.close();
  const { store: again } = await aStore(t, past);
  t.true(await again.desired.isFloorLost(), 'a restart does not hide it');
  await again.verdicts.commit(digest);
  t.false(await again.desired.isFloorLost());
});

test('After the damage an assignment with variables is taken again with the same ones, in any order', async (t) => {
  const places = await aRoot(t);
  const { store } = await aStore(t, { places });
  const context = { believer: keys.believer, nowMs: 0 };
  const release = { digest, app: 'shop', counter: 7 };
  const given = (variables: Record<string, string>): string =>
    keys.assignment({ generation: 5, release, variables });
  await acceptAssignment(given({ a: '1', b: '2' }), { ...context, store });
  await store.close();
  await wearOut({ places });
  const { store: again } = await aStore(t, { places });
  const other = acceptAssignment(given({ a: '1' }), { ...context, store: again });
  t.is(codeOf(await t.throwsAsync(other)), 'DESIRED_EQUIVOCATION');
  t.is((await acceptAssignment(given({ b: '2', a: '1' }), { ...context, store: again })).is, 'new');
});

test('A device that never accepted anything has lost nothing', async (t) => {
  const { store } = await aStore(t);
  t.false(await store.desired.isFloorLost());
  t.is(await store.desired.floor(), undefined);
});

test('A power cut between the two writes: the assignment that only the file knows is taken when it comes again', async (t) => {
  const past = await aPast(t);
  const path = fileOf(past, 'floor.json');
  const { store } = await aStore(t, past);
  const database = await readFile(fileOf(past, 'wherry.db'));
  t.is(await give(store, 51), 'new');
  await store.close();
  const after = await readFile(path);
  await writeFile(fileOf(past, 'wherry.db'), database);
  await writeFile(path, after);
  const { store: again } = await aStore(t, past);
  t.is((await again.desired.assignment())?.assignment.generation, 50);
  t.is(await give(again, 50), 'known');
  t.is(await give(again, 51), 'new');
});
