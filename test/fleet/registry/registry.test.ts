// SPDX-License-Identifier: Apache-2.0
// The registry by single requests over mutual TLS: what the distribution specification asks, and what a
// hostile client tries.

import { readdir, readFile, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'node:tls';
import test from 'ava';
import { openRegistry } from '../../../fleet/registry/registry.js';
import { mediaTypes } from '../../../fleet/registry/types.js';
import { silent } from '../../kit/edges-fleet.js';
import {
  aRegistry,
  descriptor,
  digestOf,
  poll,
  pushBlob,
  pushImage,
  type Reply,
} from '../../kit/edges-registry.js';

const absent = `sha256:${'0'.repeat(64)}`;

const read = (reply: Reply): unknown => JSON.parse(String(reply.body));

test('an image that was pushed is pulled by tag and by digest, also after a restart', async (t) => {
  const { ask, dir } = await aRegistry(t);
  const image = await pushImage(ask, 'acme/web', 'v1');
  for (const reference of ['v1', image.digest]) {
    const reply = await ask('GET', `/v2/acme/web/manifests/${reference}`);
    t.is(reply.status, 200);
    t.deepEqual(reply.body, image.bytes);
    t.is(reply.headers['docker-content-digest'], image.digest);
    t.is(reply.headers['content-type'], mediaTypes.manifest);
    const head = await ask('HEAD', `/v2/acme/web/manifests/${reference}`);
    t.is(head.headers['content-length'], String(image.bytes.length));
    t.is(head.body.length, 0);
  }
  t.is((await ask('GET', '/v2/')).status, 200);
  const again = await openRegistry({ dir, log: silent });
  t.teardown(() => again.close());
  const index = JSON.parse(
    await readFile(join(dir, 'repositories/acme,web/index.json'), 'utf8'),
  ) as { manifests: Array<{ digest: string }> };
  t.is(index.manifests[0]?.digest, image.digest);
});

test('a device pulls and does not push, an unknown certificate and none get nothing', async (t) => {
  const { ask, as, fleet } = await aRegistry(t);
  const image = await pushImage(ask, 'web', 'v1');
  const device = as(await fleet.device('pump-1'));
  t.is((await device('GET', '/v2/web/manifests/v1')).status, 200);
  t.is((await device('GET', `/v2/web/blobs/${image.layer}`)).status, 200);
  const pushes: Array<[string, string]> = [
    ['POST', '/v2/web/blobs/uploads/'],
    ['PUT', '/v2/web/manifests/v1'],
    ['DELETE', '/v2/web/manifests/v1'],
    ['PATCH', `/v2/web/blobs/uploads/${'0'.repeat(32)}`],
  ];
  for (const [method, path] of pushes) {
    const reply = await device(method, path);
    t.deepEqual([reply.status, reply.code], [403, 'DENIED'], method);
  }
  const foreign = await (await aRegistry(t)).fleet.operator('eve');
  for (const nobody of [as({}), as(foreign)]) {
    const reply = await nobody('GET', '/v2/web/manifests/v1').catch(() => undefined);
    t.true(reply === undefined || reply.status === 401);
    t.not(reply?.code, undefined);
  }
});

test('a part of a blob is sent as RFC 9110 says', async (t) => {
  const { ask } = await aRegistry(t);
  const bytes = Buffer.from(Array.from({ length: 1000 }, (_, at) => at % 251));
  const path = `/v2/web/blobs/${await pushBlob(ask, 'web', bytes)}`;
  const etag = String((await ask('HEAD', path)).headers.etag);
  const part = async (range: string, more: object = {}): Promise<Reply> =>
    ask('GET', path, { headers: { range, ...more } });

  const cases: Array<[string, number, number]> = [
    ['bytes=0-0', 0, 1],
    ['bytes=100-199', 100, 200],
    ['bytes=990-', 990, 1000],
    ['bytes=990-5000', 990, 1000],
    ['bytes=-10', 990, 1000],
    ['bytes=-5000', 0, 1000],
  ];
  for (const [range, start, end] of cases) {
    const reply = await part(range);
    t.is(reply.status, 206, range);
    t.is(reply.headers['content-range'], `bytes ${start}-${end - 1}/1000`);
    t.deepEqual(reply.body, bytes.subarray(start, end));
  }
  for (const range of ['bytes=1000-', 'bytes=-0', 'bytes=5000-6000']) {
    const reply = await part(range);
    t.is(reply.status, 416, range);
    t.is(reply.headers['content-range'], 'bytes */1000');
  }
  for (const range of ['bytes=5-2', 'bytes=0-1,5-6', 'lines=0-1', 'bytes=-', 'bytes=a-b']) {
    const reply = await part(range);
    t.is(reply.status, 200, range);
    t.is(reply.body.length, 1000);
  }
  t.is((await part('bytes=0-9', { 'if-range': etag })).status, 206);
  t.is((await part('bytes=0-9', { 'if-range': '"other"' })).status, 200);
  t.is((await ask('GET', path, { headers: { 'if-none-match': etag } })).status, 304);
});

test('a blob is pushed in pieces, and a piece out of order is refused with the place to go on', async (t) => {
  const { ask } = await aRegistry(t);
  const bytes = Buffer.alloc(3000, 7);
  const started = await ask('POST', '/v2/web/blobs/uploads/');
  t.is(started.status, 202);
  const path = String(started.headers.location);
  const patch = (start: number, end: number): Promise<Reply> =>
    ask('PATCH', path, {
      body: bytes.subarray(start, end),
      headers: { 'content-range': `${start}-${end - 1}` },
    });
  t.is((await patch(0, 1000)).headers.range, '0-999');
  const wrong = await patch(2000, 3000);
  t.deepEqual([wrong.status, wrong.headers.range], [416, '0-999']);
  t.is((await ask('GET', path)).headers.range, '0-999');
  t.is((await patch(1000, 2000)).status, 202);
  const digest = digestOf(bytes);
  const ended = await ask('PUT', `${path}?digest=${digest}`, { body: bytes.subarray(2000) });
  t.deepEqual([ended.status, ended.headers['docker-content-digest']], [201, digest]);
  t.deepEqual((await ask('GET', `/v2/web/blobs/${digest}`)).body, bytes);
  t.is((await ask('GET', path)).code, 'BLOB_UPLOAD_UNKNOWN');
});

test('bytes that do not have the digest are refused and leave nothing behind', async (t) => {
  const { ask, dir } = await aRegistry(t);
  const one = await ask('POST', `/v2/web/blobs/uploads/?digest=${absent}`, { body: 'x' });
  t.deepEqual([one.status, one.code], [400, 'DIGEST_INVALID']);
  const path = String((await ask('POST', '/v2/web/blobs/uploads/')).headers.location);
  const two = await ask('PUT', `${path}?digest=${absent}`, { body: 'x' });
  t.deepEqual([two.status, two.code], [400, 'DIGEST_INVALID']);
  for (const bad of ['sha256:xyz', 'sha512:00', '../../etc/passwd', '']) {
    const reply = await ask('POST', `/v2/web/blobs/uploads/?digest=${bad}`, { body: 'x' });
    t.is(reply.code, 'DIGEST_INVALID', bad);
  }
  t.deepEqual(await readdir(join(dir, 'blobs/sha256')), []);
  t.deepEqual(await readdir(join(dir, 'uploads')), []);
});

test('an upload that breaks off keeps what came, and can be resumed', async (t) => {
  const { ask, port, operator } = await aRegistry(t);
  const path = String((await ask('POST', '/v2/web/blobs/uploads/')).headers.location);
  const socket = connect({ host: '127.0.0.1', port, ...operator });
  socket.on('error', () => undefined);
  socket.write(
    `PATCH ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n${'a'.repeat(400)}`,
  );
  await poll(
    () => ask('GET', path),
    ({ headers }) => headers.range === '0-399',
  );
  socket.destroy();
  const digest = digestOf('a'.repeat(1000));
  // Until the registry has seen the connection end, the upload is still being written to.
  const ended = await poll(
    () =>
      ask('PUT', `${path}?digest=${digest}`, {
        body: 'a'.repeat(600),
        headers: { 'content-range': '400-999' },
      }),
    ({ status }) => status !== 409,
  );
  t.is(ended.status, 201);
  t.is((await ask('GET', `/v2/web/blobs/${digest}`)).body.length, 1000);
});

test('uploads have bounds: their count, their size, their time, and a restart removes them', async (t) => {
  const { ask, dir } = await aRegistry(t, { uploadsMax: 2, blobBytesMax: 100, uploadIdleMs: 1000 });
  const start = (): Promise<Reply> => ask('POST', '/v2/web/blobs/uploads/');
  const first = String((await start()).headers.location);
  await start();
  const third = await start();
  t.deepEqual([third.status, third.code], [429, 'TOOMANYREQUESTS']);
  const large = await ask('PATCH', first, { body: Buffer.alloc(101) });
  t.deepEqual([large.status, large.code], [413, 'SIZE_INVALID']);
  await poll(
    () => ask('GET', first),
    ({ status }) => status === 404,
  );
  t.is((await start()).status, 202);
  await writeFile(join(dir, 'uploads/left'), 'x');
  const again = await openRegistry({ dir, log: silent });
  t.teardown(() => again.close());
  t.deepEqual(await readdir(join(dir, 'uploads')), []);
});

test('a manifest is refused when it is malformed or names what is not there', async (t) => {
  const { ask } = await aRegistry(t);
  const config = Buffer.from('{}');
  await pushBlob(ask, 'web', config);
  const good = {
    schemaVersion: 2,
    config: descriptor('application/vnd.oci.image.config.v1+json', config),
    layers: [],
  };
  const put = (body: unknown, type: string = mediaTypes.manifest): Promise<Reply> =>
    ask('PUT', '/v2/web/manifests/v1', {
      body: typeof body === 'string' ? body : JSON.stringify(body),
      headers: { 'content-type': type },
    });
  const missing = { mediaType: 'x', digest: absent, size: 2 };
  const cases: Array<[unknown, string, string?]> = [
    ['not json', 'MANIFEST_INVALID'],
    ['[]', 'MANIFEST_INVALID'],
    [{ ...good, schemaVersion: 1 }, 'MANIFEST_INVALID'],
    [{ ...good, mediaType: mediaTypes.index }, 'MANIFEST_INVALID'],
    [{ ...good, layers: [missing] }, 'MANIFEST_BLOB_UNKNOWN'],
    [{ ...good, config: { ...good.config, size: 3 } }, 'SIZE_INVALID'],
    [{ ...good, config: { ...good.config, digest: '../../x' } }, 'MANIFEST_INVALID'],
    [{ schemaVersion: 2, layers: [] }, 'MANIFEST_INVALID'],
    [good, 'MANIFEST_INVALID', 'text/html'],
    [{ schemaVersion: 2, manifests: [missing] }, 'MANIFEST_BLOB_UNKNOWN', mediaTypes.index],
    ['{"schemaVersion":2,"schemaVersion":2}', 'MANIFEST_INVALID'],
  ];
  for (const [body, code, type] of cases) {
    t.is((await put(body, type)).code, code, JSON.stringify(body));
  }
  const wrong = await ask('PUT', `/v2/web/manifests/${absent}`, {
    body: JSON.stringify(good),
    headers: { 'content-type': mediaTypes.manifest },
  });
  t.is(wrong.code, 'DIGEST_INVALID');
  t.is((await put(good)).status, 201);
  t.is((await put('x'.repeat(5_000_000))).status, 413);
});

test('names that could leave the folder or confuse it are refused', async (t) => {
  const { ask, dir } = await aRegistry(t);
  const before = await readdir(dir);
  const names = [
    '..',
    '../..',
    '%2e%2e/%2e%2e',
    'a/%2e%2e/b',
    'a//b',
    'A/b',
    'a,b',
    '.hidden',
    'a%00b',
    'a%2F..%2Fb',
    'a%252e',
    '-a',
    'a/',
    `${'a/'.repeat(9)}a`,
    'a'.repeat(300),
    '%zz',
  ];
  for (const name of names) {
    const reply = await ask('POST', `/v2/${name}/blobs/uploads/`);
    t.true([400, 404].includes(reply.status), `${name}: ${reply.status}`);
    t.not(reply.code, undefined);
  }
  for (const tag of ['..', '-x', 'a%2Fb', 'a'.repeat(129), '%00']) {
    const reply = await ask('GET', `/v2/web/manifests/${tag}`);
    t.true([400, 404].includes(reply.status), tag);
  }
  t.is((await ask('GET', '/v2/web/blobs/sha256:../../index.json')).status, 404);
  for (const digest of ['sha256:..%00', `sha256:${'G'.repeat(64)}`, 'md5:00']) {
    t.is((await ask('GET', `/v2/web/blobs/${digest}`)).code, 'DIGEST_INVALID', digest);
  }
  t.deepEqual(await readdir(dir), before);
});

test('tags and repositories are listed in pages', async (t) => {
  const { ask } = await aRegistry(t);
  for (const tag of ['c', 'a', 'b']) await pushImage(ask, 'web', tag);
  await pushImage(ask, 'db', 'v1');
  const first = await ask('GET', '/v2/web/tags/list?n=2');
  t.deepEqual(read(first), { name: 'web', tags: ['a', 'b'] });
  const next = /^<([^>]+)>; rel="next"$/.exec(String(first.headers['link']))?.[1] ?? '';
  t.deepEqual(read(await ask('GET', next)), { name: 'web', tags: ['c'] });
  t.deepEqual(read(await ask('GET', '/v2/web/tags/list?n=0')), { name: 'web', tags: [] });
  t.deepEqual(read(await ask('GET', '/v2/_catalog')), { repositories: ['db', 'web'] });
  t.is((await ask('GET', '/v2/web/tags/list?n=x')).status, 400);
  t.is((await ask('GET', '/v2/none/tags/list')).code, 'NAME_UNKNOWN');
});

test('a tag is deleted alone, a manifest with all its tags', async (t) => {
  const { ask } = await aRegistry(t);
  const image = await pushImage(ask, 'web', 'v1');
  const put = { body: image.bytes, headers: { 'content-type': mediaTypes.manifest } };
  await ask('PUT', '/v2/web/manifests/v2', put);
  t.is((await ask('DELETE', '/v2/web/manifests/v1')).status, 202);
  t.is((await ask('GET', '/v2/web/manifests/v1')).code, 'MANIFEST_UNKNOWN');
  t.is((await ask('GET', '/v2/web/manifests/v2')).status, 200);
  t.is((await ask('DELETE', `/v2/web/manifests/${image.digest}`)).status, 202);
  t.is((await ask('GET', '/v2/web/manifests/v2')).status, 404);
  t.is((await ask('DELETE', '/v2/web/manifests/v2')).status, 404);
});

test('what refers to a manifest is listed, and the push says so', async (t) => {
  const { ask } = await aRegistry(t);
  const image = await pushImage(ask, 'web', 'v1');
  const subject = { ...descriptor(mediaTypes.manifest, image.bytes) };
  const body = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      artifactType: 'application/vnd.example.signature',
      config: descriptor('application/vnd.oci.empty.v1+json', Buffer.from('{}')),
      layers: [],
      subject,
      annotations: { by: 'ci' },
    }),
  );
  const reply = await ask('PUT', `/v2/web/manifests/${digestOf(body)}`, {
    body,
    headers: { 'content-type': mediaTypes.manifest },
  });
  t.is(reply.headers['oci-subject'], image.digest);
  const list = await ask('GET', `/v2/web/referrers/${image.digest}`);
  t.is(list.headers['content-type'], mediaTypes.index);
  t.like(read(list), {
    manifests: [
      {
        digest: digestOf(body),
        artifactType: 'application/vnd.example.signature',
        annotations: { by: 'ci' },
      },
    ],
  });
  const other = await ask('GET', `/v2/web/referrers/${image.digest}?artifactType=x`);
  t.like(read(other), { manifests: [] });
  t.is(other.headers['oci-filters-applied'], 'artifactType');
  t.like(read(await ask('GET', `/v2/none/referrers/${absent}`)), { manifests: [] });
});

test('twenty pushes at once into one repository lose no tag, and a shared blob is stored once', async (t) => {
  const { ask, dir } = await aRegistry(t);
  const pushes = Array.from({ length: 20 }, (_, at) => pushImage(ask, 'web', `v${at}`));
  await Promise.all(pushes);
  const { tags } = read(await ask('GET', '/v2/web/tags/list')) as { tags: string[] };
  t.is(tags.length, 20);
  // 20 layers, 20 manifests and one config
  t.is((await readdir(join(dir, 'blobs/sha256'))).length, 41);
});

test('the same manifest pushed by twenty at once, under one tag and many, is stored once', async (t) => {
  const { ask, dir } = await aRegistry(t);
  const image = await pushImage(ask, 'web', 'v1');
  await ask('DELETE', `/v2/web/manifests/${image.digest}`);
  await unlink(join(dir, 'blobs/sha256', image.digest.slice(7)));
  const replies = await Promise.all(
    Array.from({ length: 20 }, (_, at) =>
      ask('PUT', `/v2/web/manifests/v${at % 5}`, {
        body: image.bytes,
        headers: { 'content-type': mediaTypes.manifest },
      }),
    ),
  );
  t.deepEqual(
    replies.map(({ status }) => status),
    replies.map(() => 201),
  );
  t.deepEqual((await ask('GET', '/v2/web/manifests/v4')).body, image.bytes);
  t.deepEqual(await readdir(join(dir, 'uploads')), []);
});

test('a blob is mounted from another repository without its bytes', async (t) => {
  const { ask } = await aRegistry(t);
  const digest = await pushBlob(ask, 'web', Buffer.from('layer'));
  const there = await ask('POST', `/v2/db/blobs/uploads/?mount=${digest}&from=web`);
  t.deepEqual([there.status, there.headers.location], [201, `/v2/db/blobs/${digest}`]);
  const not = await ask('POST', `/v2/db/blobs/uploads/?mount=${absent}&from=web`);
  t.is(not.status, 202);
});

test('prune removes what no manifest names and nothing else', async (t) => {
  const { ask, registry, dir } = await aRegistry(t);
  const image = await pushImage(ask, 'web', 'v1');
  const orphan = await pushBlob(ask, 'web', Buffer.alloc(500, 1));
  t.deepEqual(await registry.prune({ unusedMs: 60_000 }), { count: 0, bytes: 0 });
  await new Promise((resolve) => setTimeout(resolve, 20));
  t.deepEqual(await registry.prune({ unusedMs: 0 }), { count: 1, bytes: 500 });
  t.is((await ask('GET', `/v2/web/blobs/${orphan}`)).status, 404);
  t.is((await ask('GET', `/v2/web/blobs/${image.layer}`)).status, 200);
  t.is((await ask('GET', '/v2/web/manifests/v1')).status, 200);
  t.is((await stat(join(dir, 'blobs/sha256'))).isDirectory(), true);
});

test('a method that an end point does not have is refused with those it has', async (t) => {
  const { ask } = await aRegistry(t);
  const reply = await ask('PUT', `/v2/web/blobs/${absent}`);
  t.deepEqual(
    [reply.status, reply.code, reply.headers.allow],
    [405, 'UNSUPPORTED', 'GET, HEAD, DELETE'],
  );
  t.is((await ask('GET', '/v2/web')).status, 404);
});
