// SPDX-License-Identifier: Apache-2.0
// Pulls with the real store and the real wherry-layer from a scripted registry: whole, shared, resumed, wrong,
// without space and without a network.

import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { roomOf } from '../../../agent/pull/space.js';
import { windowLogOf } from '../../../agent/pull/window.js';
import { mediaTypes } from '../../../images/oci/media.js';
import { hostPlatform } from '../../../images/oci/platform.js';
import { codeOf } from '../../../protocol/error.js';
import {
  aDevice,
  anImage,
  aSmallDevice,
  type TestDevice,
  type TestImage,
} from '../../kit/images-device.js';
import {
  type Answer,
  digestFor,
  serveBlobs,
  startServer,
  type TestBlob,
  type TestServer,
} from '../../kit/images-server.js';
import { needs } from '../../kit/needs.js';

const asRoot = needs(['root']);
const base = { base: randomBytes(300_000) };

const serve = async (t: ExecutionContext, images: readonly TestImage[]): Promise<TestServer> =>
  startServer(t, (request, response) =>
    serveBlobs(
      images.flatMap(({ blobs }) => blobs),
      request,
      response,
    ),
  );

const pullOf = async (
  device: TestDevice,
  server: TestServer,
  { digest }: { digest: TestImage['digest'] },
): ReturnType<TestDevice['pull']['image']> =>
  device.pull.image({ reference: `${server.host}/web:v1`, digest }, {});

const blobRequests = (server: TestServer): string[] =>
  server.requests.map(({ line }) => line).filter((line) => line.includes('/blobs/'));

for (const compression of ['gzip', 'zstd', 'none'] as const) {
  asRoot(`an image of ${compression} layers is pulled, unpacked and recorded`, async (t) => {
    const image = await anImage(t, [base, { app: 'v1' }], { compression });
    const [server, device] = [await serve(t, [image]), await aDevice(t)];
    const seen: number[] = [];
    const pulled = await device.pull.image(
      { reference: `${server.host}/web:v1`, digest: image.digest },
      { onProgress: ({ bytesDone, bytesTotal }) => seen.push(bytesDone / bytesTotal) },
    );
    const [low, high] = pulled.layers;
    t.deepEqual(readFileSync(join(low?.dir ?? '', 'base')), base.base);
    t.is(readFileSync(join(high?.dir ?? '', 'app'), 'utf8'), 'v1');
    t.deepEqual(pulled.config.cmd, ['/web']);
    t.deepEqual(
      pulled.layers.map(({ diffId }) => diffId),
      image.layers.map(({ diffId }) => diffId),
    );
    t.is(seen.at(-1), 1);
    t.true(pulled.imageBytes > 300_000);
    t.true(pulled.bytesFetched >= pulled.imageBytes, 'heads are counted too');
    t.true(pulled.bytesFetched < pulled.imageBytes + 4000);
    t.is((await device.store.images.get(image.digest))?.manifest, image.digest);
  });
}

asRoot('a second image over the same base fetches only its own layer', async (t) => {
  const v1 = await anImage(t, [base, { app: 'v1' }]);
  const v2 = await anImage(t, [base, { app: 'v2' }]);
  const [server, device] = [await serve(t, [v1, v2]), await aDevice(t)];
  await pullOf(device, server, v1);
  const pulled = await pullOf(device, server, v2);
  t.true(pulled.bytesFetched < 5000, `${pulled.bytesFetched} bytes`);
  t.is(blobRequests(server).filter((line) => line.includes(v1.layers[0]?.digest ?? '')).length, 1);
});

asRoot('an image that is there is pulled again without a network', async (t) => {
  const image = await anImage(t, [base]);
  const [server, device] = [await serve(t, [image]), await aDevice(t)];
  const first = await pullOf(device, server, image);
  const again = await device.pull.image(
    { reference: '127.0.0.1:1/web:v1', digest: image.digest },
    {},
  );
  t.deepEqual(again.layers, first.layers);
  t.is(again.bytesFetched, 0);
});

asRoot('the same layer twice in an image is fetched once', async (t) => {
  const image = await anImage(t, [base, base]);
  const [server, device] = [await serve(t, [image]), await aDevice(t)];
  const pulled = await pullOf(device, server, image);
  t.is(pulled.layers.length, 2);
  t.is(blobRequests(server).length, 2);
});

asRoot('from an index the manifest for this platform is taken', async (t) => {
  const own = await anImage(t, [{ own: '1' }]);
  const foreign = await anImage(t, [{ foreign: '1' }], {
    platform: { os: 'linux', architecture: 's390x' },
  });
  const entry = (image: TestImage, platform: object): object => {
    const size = image.blobs.find(({ digest }) => digest === image.digest)?.size;
    return { mediaType: mediaTypes.manifest, digest: image.digest, size, platform };
  };
  const index = anIndex([
    entry(foreign, { os: 'linux', architecture: 's390x' }),
    entry(own, hostPlatform()),
  ]);
  const [server, device] = [await serveIndex(t, [own, foreign], index), await aDevice(t)];
  const pulled = await pullOf(device, server, index);
  t.is(pulled.digest, index.digest);
  t.is(pulled.manifest, own.digest);
  const none = anIndex([entry(foreign, { os: 'linux', architecture: 's390x' })]);
  const other = await serveIndex(t, [foreign], none);
  t.is(codeOf(await t.throwsAsync(pullOf(device, other, none))), 'IMAGE_PLATFORM');
  t.is(codeOf(await t.throwsAsync(pullOf(device, other, foreign))), 'IMAGE_PLATFORM');
});

function anIndex(manifests: object[]): TestBlob {
  const bytes = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.index, manifests }),
  );
  return { bytes, digest: digestFor(bytes), size: bytes.length };
}

async function serveIndex(
  t: ExecutionContext,
  images: readonly TestImage[],
  index: TestBlob,
): Promise<TestServer> {
  return startServer(t, (request, response) => {
    if (request.url?.endsWith(index.digest) !== true) {
      return serveBlobs(
        images.flatMap(({ blobs }) => blobs),
        request,
        response,
      );
    }
    response.writeHead(200, { 'content-type': mediaTypes.index }).end(index.bytes);
    return true;
  });
}

asRoot('a cut link goes on with Range into the same unpacking', async (t) => {
  const image = await anImage(t, [{ big: randomBytes(600_000) }], { compression: 'none' });
  let count = 0;
  const server = await startServer(t, (request, response) => {
    const layer = image.layers[0]?.digest ?? '';
    if (request.url?.endsWith(layer) === true) count += 1;
    if (request.url?.endsWith(layer) !== true || count > 3)
      return serveBlobs(image.blobs, request, response);
    const { bytes, size } = image.blobs.find(({ digest }) => digest === layer) as TestBlob;
    const from = Number(/(\d+)-/.exec(request.headers.range ?? '0-')?.[1]);
    response.writeHead(from === 0 ? 200 : 206, {
      'content-length': size - from,
      ...(from === 0 ? {} : { 'content-range': `bytes ${from}-${size - 1}/${size}` }),
    });
    response.write(bytes.subarray(from, from + 100_000), () => response.destroy());
    return true;
  });
  const device = await aDevice(t);
  const pulled = await pullOf(device, server, image);
  t.is(count, 4);
  t.true(pulled.bytesFetched < 610_000, `${pulled.bytesFetched} bytes for 600 kB`);
});

async function codeFrom(
  t: ExecutionContext,
  image: TestImage,
  answer: Answer,
): Promise<{ code: string; device: TestDevice }> {
  const device = await aDevice(t);
  const server = await startServer(t, answer);
  return { code: codeOf(await t.throwsAsync(pullOf(device, server, image))), device };
}

asRoot('a layer with one wrong byte is never committed, and the image not recorded', async (t) => {
  const image = await anImage(t, [base, { app: 'v1' }], { compression: 'none' });
  const [low, high] = image.layers;
  const blobs = image.blobs.map((blob) =>
    blob.digest === high?.digest ? { ...blob, bytes: flipped(blob.bytes) } : blob,
  );
  const { code, device } = await codeFrom(t, image, (request, response) =>
    serveBlobs(blobs, request, response),
  );
  t.is(code, 'LAYER_DIGEST');
  t.is(await device.store.images.get(image.digest), undefined);
  t.is(await device.store.layers.dirOf(high?.diffId ?? image.digest), undefined);
  const kept = await device.store.layers.dirOf(low?.diffId ?? image.digest);
  t.true(kept === undefined || existsSync(kept.dir));
});

function flipped(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  copy[520] = (copy[520] ?? 0) ^ 1;
  return copy;
}

asRoot('an image that the registry does not have is unknown', async (t) => {
  const image = await anImage(t, [{ a: '1' }]);
  t.is((await codeFrom(t, image, () => false)).code, 'IMAGE_UNKNOWN');
});

asRoot('a full disk is seen before anything is fetched', async (t) => {
  const image = await anImage(t, [base]);
  const server = await serve(t, [image]);
  const { store } = await aDevice(t);
  const device = await aDevice(t, { store: { ...store, freeBytes: async () => 9_000_000 } });
  await t.notThrowsAsync(pullOf(device, server, image));
  const full = await aDevice(t, {
    store: {
      ...store,
      layers: { ...store.layers, dirOf: async () => undefined },
      freeBytes: async () => 8_500_000,
    },
  });
  const before = blobRequests(server).length;
  t.is(codeOf(await t.throwsAsync(pullOf(full, server, image))), 'NO_SPACE');
  t.is(blobRequests(server).length, before);
});

asRoot('a layer that swells until the disk is full is stopped before it is', async (t) => {
  const image = await anImage(t, [base]);
  const server = await startServer(t, (request, response) => {
    if (request.url?.endsWith(image.layers[0]?.digest ?? '') !== true) {
      return serveBlobs(image.blobs, request, response);
    }
    response.writeHead(200); // and never ends: it would go on unpacking
    return true;
  });
  const { store } = await aDevice(t);
  let asked = 0;
  const freeBytes = async (): Promise<number> => {
    asked += 1;
    return asked < 3 ? 1e9 : 1e6;
  };
  const slow = { idleTimeoutMs: 30_000 };
  const device = await aDevice(t, { store: { ...store, freeBytes }, registry: slow });
  t.is(codeOf(await t.throwsAsync(pullOf(device, server, image))), 'NO_SPACE');
});

asRoot('a layer bomb is stopped by its size before it has taken the disk', async (t) => {
  const image = await anImage(t, [{ bomb: Buffer.alloc(100_000_000) }], { compression: 'gzip' });
  const [server, device] = [await serve(t, [image]), await aSmallDevice(t, 10_000_000)];
  const error = await t.throwsAsync(pullOf(device, server, image));
  t.is(codeOf(error), 'NO_SPACE');
  t.true(error?.message.includes(image.layers[0]?.digest ?? 'no layer'), error?.message);
  t.is(await device.store.images.get(image.digest), undefined);
});

asRoot('two layer bombs at once get no more than the room that is there for both', async (t) => {
  const bombs = ['a', 'b'].map((name) => ({ [name]: Buffer.alloc(6_000_000) }));
  const image = await anImage(t, bombs, { compression: 'gzip' });
  const [server, device] = [await serve(t, [image]), await aSmallDevice(t, 10_000_000)];
  t.is(codeOf(await t.throwsAsync(pullOf(device, server, image))), 'NO_SPACE');
});

asRoot('a layer that needs more than half of the room has it once the other is done', async (t) => {
  const image = await anImage(t, [
    { large: Buffer.alloc(8_000_000) },
    { small: Buffer.alloc(1_000_000) },
  ]);
  const [server, device] = [await serve(t, [image]), await aSmallDevice(t, 10_000_000)];
  const seen: number[] = [];
  const pulled = await device.pull.image(
    { reference: `${server.host}/web:v1`, digest: image.digest },
    { onProgress: ({ bytesDone, bytesTotal }) => seen.push(bytesDone / bytesTotal) },
  );
  t.is(pulled.layers.length, 2);
  t.is(seen.at(-1), 1);
  t.true(Math.max(...seen) <= 1);
});

test('room: grants under way never come to more than what is free, nor each to more than its share', async (t) => {
  let free = 8 * 1024 * 1024 + 100;
  const room = roomOf(async () => free, 2);
  t.deepEqual(await Promise.all([room.grant(2), room.grant(1)]), [50, 50]);
  free -= 50;
  room.giveBack(50);
  t.is(await room.grant(0), 0, 'the other may still take all that is left');
  room.giveBack(0);
  room.giveBack(50);
  t.is(await room.grant(0), 50);
  free = 0;
  t.is(await room.grant(0), 0);
});

asRoot('a layer whose zstd window would take a small device’s memory is refused', async (t) => {
  const image = await anImage(t, [{ big: randomBytes(20_000_000) }], { compression: 'none' });
  const layer = image.blobs.find(({ digest }) => digest === image.layers[0]?.digest);
  const wide = aWideImage(image, layer?.bytes ?? Buffer.alloc(0));
  const server = await serve(t, [wide]);
  const error = await t.throwsAsync(
    pullOf(await aDevice(t, { memoryBytes: 64 * 1024 * 1024 }), server, wide),
  );
  t.is(codeOf(error), 'LAYER_LIMIT');
  t.regex(error?.message ?? '', /window is larger than the 2\^23 bytes/);
  await t.notThrowsAsync(pullOf(await aDevice(t, { memoryBytes: 2 ** 30 }), server, wide));
  t.deepEqual(
    [64, 128, 1024, 65_536].map((mib) => windowLogOf(mib * 2 ** 20)),
    [23, 24, 27, 27],
  );
});

/** The same image with its plain layer compressed by zstd with a window of 16 MiB. */
function aWideImage(image: TestImage, tar: Buffer): TestImage {
  const options = { input: tar, maxBuffer: 2 ** 26 };
  const bytes = spawnSync('zstd', ['-qc', '--long=24'], options).stdout;
  const blob = { bytes, digest: digestFor(bytes), size: bytes.length };
  const manifest = JSON.parse(
    image.blobs.find(({ digest }) => digest === image.digest)?.bytes.toString() ?? '{}',
  );
  manifest.layers[0] = { mediaType: mediaTypes.layerZstd, digest: blob.digest, size: blob.size };
  const text = Buffer.from(JSON.stringify(manifest));
  const top = { bytes: text, digest: digestFor(text), size: text.length };
  return { ...image, digest: top.digest, blobs: [...image.blobs, blob, top] };
}

asRoot('a reference that is no reference is refused', async (t) => {
  const { pull } = await aDevice(t);
  const wanted = { reference: '../x', digest: digestFor(Buffer.from('')) };
  t.is(codeOf(await t.throwsAsync(pull.image(wanted, {}))), 'IMAGE_REFERENCE');
});

asRoot(
  'an aborted pull ends with the reason and leaves nothing staged; the next one works',
  async (t) => {
    const image = await anImage(t, [base]);
    let isStuck = true;
    const server = await startServer(t, (request, response) => {
      const isLayer = request.url?.endsWith(image.layers[0]?.digest ?? '') === true;
      if (!isLayer || !isStuck) return serveBlobs(image.blobs, request, response);
      response.writeHead(200);
      response.write('x');
      return true;
    });
    const device = await aDevice(t);
    const stop = new AbortController();
    const reason = new Error('enough');
    setTimeout(() => stop.abort(reason), 200);
    const wanted = { reference: `${server.host}/web:v1`, digest: image.digest };
    const aborted = device.pull.image(wanted, { signal: stop.signal });
    const next = device.pull.image(wanted, {}); // waits for its turn
    t.is(await t.throwsAsync(aborted), reason);
    isStuck = false;
    t.is((await next).layers.length, 1);
  },
);
