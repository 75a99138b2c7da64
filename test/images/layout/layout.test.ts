// SPDX-License-Identifier: Apache-2.0
// Layouts on disk: named, shared, pruned, damaged, and changed by several at once.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { entryName, type Layout, openLayout } from '../../../images/layout/layout.js';
import { mediaTypes } from '../../../images/oci/media.js';
import { codeOf } from '../../../protocol/error.js';
import { tempFolder } from '../../kit/images-certs.js';
import { aBlob, aManifest, gather, type TestBlob } from '../../kit/images-server.js';

async function aLayout(t: ExecutionContext): Promise<Layout> {
  return openLayout(join(tempFolder(t), 'layout'), { create: true });
}

async function put(layout: Layout, name: string, layers: readonly TestBlob[]): Promise<TestBlob> {
  const { config, manifest } = aManifest(layers);
  for (const { bytes } of [...layers, config, manifest]) await layout.blobs.write(bytes);
  const { digest, size } = manifest;
  await layout.tag(name, { mediaType: mediaTypes.manifest, digest, size });
  return manifest;
}

test('an image is found by its name, by its digest, and alone without either', async (t) => {
  const layout = await aLayout(t);
  const manifest = await put(layout, 'localhost/web:v1', [aBlob(10)]);
  t.is((await layout.find('localhost/web:v1')).digest, manifest.digest);
  t.is((await layout.find(manifest.digest)).digest, manifest.digest);
  t.is((await layout.find(undefined)).digest, manifest.digest);
  await put(layout, 'other', [aBlob(10)]);
  t.is(codeOf(await t.throwsAsync(layout.find(undefined))), 'IMAGE_UNKNOWN');
  t.is(codeOf(await t.throwsAsync(layout.find('nothing'))), 'IMAGE_UNKNOWN');
});

test('a name moves to the image that got it last', async (t) => {
  const layout = await aLayout(t);
  await put(layout, 'v1', [aBlob(10)]);
  const second = await put(layout, 'v1', [aBlob(11)]);
  t.deepEqual(
    (await layout.entries()).map(({ digest }) => digest),
    [second.digest],
  );
});

test('removing an image keeps the layers that another one has', async (t) => {
  const layout = await aLayout(t);
  const [shared, own] = [aBlob(1000), aBlob(2000)];
  await put(layout, 'v1', [shared, own]);
  await put(layout, 'v2', [shared]);
  await layout.untag('v1');
  t.true((await layout.prune()) >= 2000);
  t.is(await layout.blobs.sizeOf(shared.digest), 1000);
  t.is(await layout.blobs.sizeOf(own.digest), undefined);
  await layout.find('v2');
});

test('bytes that are not the digest never become a blob', async (t) => {
  const layout = await aLayout(t);
  const blob = aBlob(100);
  const from = async function* (bytes: Buffer): AsyncGenerator<Buffer> {
    yield bytes;
  };
  for (const bytes of [
    Buffer.alloc(100),
    blob.bytes.subarray(1),
    Buffer.concat([blob.bytes, blob.bytes]),
  ]) {
    const error = await t.throwsAsync(layout.blobs.writeFrom(blob, from(bytes)));
    t.is(codeOf(error), 'IMAGE_DIGEST');
  }
  t.deepEqual(readdirSync(join(layout.dir, 'blobs/sha256')), []);
});

test('a blob that changed on the disk is not believed', async (t) => {
  const layout = await aLayout(t);
  const blob = aBlob(100);
  await layout.blobs.write(blob.bytes);
  t.deepEqual(await gather(layout.blobs.stream(blob, 10, 20)), blob.bytes.subarray(10, 20));
  writeFileSync(join(layout.dir, 'blobs/sha256', blob.digest.slice(7)), Buffer.alloc(100));
  t.is(codeOf(await t.throwsAsync(layout.blobs.read(blob.digest))), 'IMAGE_DIGEST');
  t.is(codeOf(await t.throwsAsync(gather(layout.blobs.stream(blob)))), 'IMAGE_DIGEST');
});

test('a folder that is no layout is refused, and never written to unless asked', async (t) => {
  const dir = tempFolder(t);
  t.is(codeOf(await t.throwsAsync(openLayout(dir))), 'IMAGE_LAYOUT');
  t.deepEqual(readdirSync(dir), []);
  writeFileSync(join(dir, 'oci-layout'), '{"imageLayoutVersion":"9.0.0"}');
  t.is(codeOf(await t.throwsAsync(openLayout(dir))), 'IMAGE_LAYOUT');
  writeFileSync(join(dir, 'file'), '');
  t.is(
    codeOf(await t.throwsAsync(openLayout(join(dir, 'file/x'), { create: true }))),
    'IMAGE_LAYOUT',
  );
});

test('many that name images at once lose none, and a lock of a dead process is taken over', async (t) => {
  const layout = await aLayout(t);
  const gone = execFileSync('sh', ['-c', 'echo $$'], { encoding: 'utf8' }).trim();
  writeFileSync(join(layout.dir, '.index.lock'), gone);
  const names = Array.from({ length: 20 }, (_, at) => `v${at}`);
  await Promise.all(names.map(async (name, at) => put(layout, name, [aBlob(at + 1)])));
  const found = (await layout.entries()).map((entry) => entryName(entry) ?? '');
  t.deepEqual(found.sort(), [...names].sort());
  t.false(existsSync(join(layout.dir, '.index.lock')));
});

test('an index.json of another tool keeps its entries and annotations', async (t) => {
  const layout = await aLayout(t);
  const { manifest } = aManifest([]);
  const digest = manifest.digest;
  const foreign = {
    mediaType: mediaTypes.manifest,
    digest,
    size: manifest.size,
    annotations: { who: 'else' },
  };
  const index = { schemaVersion: 2, manifests: [foreign], annotations: { note: 'kept' } };
  writeFileSync(join(layout.dir, 'index.json'), JSON.stringify(index));
  mkdirSync(join(layout.dir, 'more'));
  await put(layout, 'v1', [aBlob(3)]);
  const after = JSON.parse(readFileSync(join(layout.dir, 'index.json'), 'utf8')) as typeof index;
  t.deepEqual(after.manifests[0], foreign);
  t.deepEqual(after.annotations, { note: 'kept' });
});
