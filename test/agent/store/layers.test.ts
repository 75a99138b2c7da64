// SPDX-License-Identifier: Apache-2.0
// Layers, images and blobs on disk: whole or not there, shared, and gone when nobody holds them.

import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { hexOf } from '../../../protocol/name.js';
import { digestFor } from '../../kit/agent-docs.js';
import { aRoot, aStore, putImage } from '../../kit/agent-store.js';

test('A staged layer is not a layer until it is committed, and its leavings go at the next start', async (t) => {
  const places = await aRoot(t);
  const { store } = await aStore(t, { places });
  const staged = await store.layers.stage(digestFor('a'));
  await writeFile(join(staged.dir, 'half'), 'half');
  t.is(await store.layers.dirOf(digestFor('a')), undefined);
  await store.close();
  const { store: again } = await aStore(t, { places });
  t.is(await again.layers.dirOf(digestFor('a')), undefined);
  await again.close();
  t.deepEqual(await readdir(join(places.state, 'staging')), []);
});

test('A committed layer has its files, its headers and its size, also after a restart', async (t) => {
  const places = await aRoot(t);
  const { store } = await aStore(t, { places });
  const diffId = digestFor('a');
  const staged = await store.layers.stage(diffId);
  await writeFile(join(staged.dir, 'file'), 'content');
  await writeFile(staged.headers, 'headers');
  const dir = await staged.commit({ unpackedBytes: 7 });
  t.deepEqual(await store.layers.dirOf(diffId), { dir, unpackedBytes: 7 });
  await store.close();
  const { store: again } = await aStore(t, { places });
  t.deepEqual(await again.layers.dirOf(diffId), { dir, unpackedBytes: 7 });
  t.is(await readFile(join(dir, 'file'), 'utf8'), 'content');
  t.is(
    await readFile(join(places.state, 'layers', hexOf(diffId), 'headers.zst'), 'utf8'),
    'headers',
  );
});

test('Two commits of one layer leave one, and a discarded one leaves nothing', async (t) => {
  const { store, places } = await aStore(t);
  const [one, two, three] = await Promise.all(
    [1, 2, 3].map(() => store.layers.stage(digestFor('a'))),
  );
  await Promise.all([one?.commit({ unpackedBytes: 1 }), two?.commit({ unpackedBytes: 1 })]);
  await three?.discard();
  t.deepEqual(await readdir(join(places.state, 'layers')), [hexOf(digestFor('a'))]);
  t.deepEqual(await readdir(join(places.state, 'staging')), []);
});

test('A power cut between rename and record: the layer on disk is adopted at the next start', async (t) => {
  const places = await aRoot(t);
  const { store } = await aStore(t, { places });
  await putImage(store, 'web', ['base']);
  await store.close();
  for (const suffix of ['', '-wal', '-shm']) {
    await rm(join(places.state, `wherry.db${suffix}`), { force: true });
  }
  const { store: again } = await aStore(t, { places });
  t.is((await again.layers.dirOf(digestFor('base')))?.unpackedBytes, 100);
  t.is(await again.sweep(), 1, 'and swept where nobody claims it');
});

test('Layers and blobs shared by images go with the last image that holds them', async (t) => {
  const { store } = await aStore(t);
  const one = await putImage(store, 'one', ['base', 'only-one']);
  const two = await putImage(store, 'two', ['base', 'only-two']);
  await store.images.remove(one);
  await store.images.remove(one);
  t.not(await store.layers.dirOf(digestFor('base')), undefined);
  t.is(await store.layers.dirOf(digestFor('only-one')), undefined);
  t.is(await store.blobs.read(digestFor('one config')), undefined);
  t.deepEqual(
    (await store.images.list()).map(({ digest }) => digest),
    [two],
  );
  await store.images.remove(two);
  t.is(await store.layers.dirOf(digestFor('base')), undefined);
  t.is(await store.blobs.read(digestFor('two config')), undefined);
});

test('An image is not recorded without all its layers', async (t) => {
  const { store } = await aStore(t);
  const digest = digestFor('torn');
  const image = {
    digest,
    reference: 'registry.test/torn',
    manifest: digest,
    config: digest,
    diffIds: [digestFor('nowhere')],
    unpackedBytes: 1,
    usedAt: 1,
  };
  await t.throwsAsync(store.images.put(image), { code: 'STORE_CORRUPT' } as never);
  t.is(await store.images.get(digest), undefined);
});

test('An image that lost a layer is forgotten at the next start and its other layers stay', async (t) => {
  const places = await aRoot(t);
  const { store } = await aStore(t, { places });
  const digest = await putImage(store, 'web', ['base', 'top']);
  await store.close();
  await rm(join(places.state, 'layers', hexOf(digestFor('top'))), { recursive: true });
  const { store: again } = await aStore(t, { places });
  t.is(await again.images.get(digest), undefined);
  t.not(await again.layers.dirOf(digestFor('base')), undefined);
});

test('A layer that nobody holds, of a pull that was given up, is swept', async (t) => {
  const { store } = await aStore(t);
  await putImage(store, 'web');
  const staged = await store.layers.stage(digestFor('orphan'));
  await staged.commit({ unpackedBytes: 1 });
  t.is(await store.sweep(), 1);
  t.is(await store.sweep(), 0);
  t.not(await store.layers.dirOf(digestFor('web-layer')), undefined);
});

test('A blob is written only if the bytes are the digest’s, and a damaged one is absent', async (t) => {
  const { store, places } = await aStore(t);
  const digest = digestFor('hello');
  await t.throwsAsync(store.blobs.write(digest, Buffer.from('hellO')), {
    code: 'IMAGE_DIGEST',
  } as never);
  await store.blobs.write(digest, Buffer.from('hello'));
  t.is(String(await store.blobs.read(digest)), 'hello');
  await writeFile(join(places.state, 'blobs/sha256', hexOf(digest)), 'jello');
  t.is(await store.blobs.read(digest), undefined);
});

test('A container’s folder can be made and removed again and again, and no name leaves its place', async (t) => {
  const { store } = await aStore(t);
  const path = await store.folders.container('web-1');
  t.is(await store.folders.container('web-1'), path);
  await writeFile(join(path, 'file'), 'x');
  t.deepEqual(await store.folders.containers(), ['web-1']);
  await store.folders.removeContainer('web-1');
  await store.folders.removeContainer('web-1');
  t.deepEqual(await store.folders.containers(), []);
  for (const name of ['../x', '.', '..', 'a/b', '']) {
    await t.throwsAsync(store.folders.volume(name), { code: 'SHAPE_BAD' } as never);
  }
});
