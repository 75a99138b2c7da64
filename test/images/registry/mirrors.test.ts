// SPDX-License-Identifier: Apache-2.0
// Mirrors: in order, with failover also in the middle of a blob, never with the registry's credentials, and never
// believed more than a digest. registries.json as an operator writes it.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { mediaTypes } from '../../../images/oci/media.js';
import { readSettings } from '../../../images/registry/settings.js';
import { codeOf } from '../../../protocol/error.js';
import { tempFolder } from '../../kit/images-certs.js';
import {
  type Answer,
  aBlob,
  aManifest,
  aRegistry,
  gather,
  serveBlobs,
  startServer,
} from '../../kit/images-server.js';

const layer = aBlob(200_000);
const { config, manifest } = aManifest([layer]);

const serve: Answer = (request, response) => {
  if (request.url?.includes('/manifests/') === true) {
    response.writeHead(200, { 'content-type': mediaTypes.manifest });
    response.end(manifest.bytes);
    return true;
  }
  return serveBlobs([layer, config], request, response);
};

/** Lines without the probe for TLS. */
const linesOf = (server: { requests: Array<{ line: string }> }): string[] =>
  server.requests.map(({ line }) => line).filter((line) => !line.endsWith('/v2/'));

function open(
  t: ExecutionContext,
  mirrors: readonly string[],
  credentials?: (host: string) => undefined,
) {
  return aRegistry(t, {
    mirrorsOf: () => mirrors,
    ...(credentials === undefined ? {} : { credentials }),
  });
}

test('the first mirror that has it is asked, under its prefix, and the registry is left alone', async (t) => {
  const [origin, empty, full] = [
    await startServer(t, serve),
    await startServer(t, () => false),
    await startServer(t, serve),
  ];
  const registry = open(t, [empty.host, `${full.host}/cache/hub`]);
  const reference = { host: origin.host, repository: 'a/web', digest: manifest.digest };
  t.is((await registry.manifest(reference)).digest, manifest.digest);
  t.true((await gather(registry.blob(reference, layer))).equals(layer.bytes));
  t.deepEqual(linesOf(origin), []);
  t.is(linesOf(empty).length, 2);
  t.true(
    linesOf(full).every((line) => line.includes('/v2/cache/hub/a/web/')),
    linesOf(full).join(),
  );
  t.true(registry.isMirrored(reference));
});

test('a mirror that is away is left out, and what it was asked for comes from the next', async (t) => {
  const origin = await startServer(t, serve);
  const broken = await startServer(t, (_, response) => {
    response.writeHead(503).end();
    return true;
  });
  const registry = open(t, ['127.0.0.1:1', broken.host]);
  const reference = { host: origin.host, repository: 'a/web', digest: manifest.digest };
  await registry.manifest(reference);
  const asked = linesOf(broken).length;
  t.is(asked, 2, 'two attempts, then the next');
  t.true((await gather(registry.blob(reference, layer))).equals(layer.bytes));
  t.is(linesOf(broken).length, asked, 'it is not asked again so soon');
});

test('a mirror that cuts a blob is followed by the registry from the same byte on', async (t) => {
  const origin = await startServer(t, serve);
  let cuts = 0;
  const cutting = await startServer(t, (request, response) => {
    if (request.url?.includes('/blobs/') !== true) return serve(request, response);
    cuts += 1;
    if (cuts > 1) {
      response.destroy();
      return true;
    }
    response.writeHead(200, { 'content-length': layer.size });
    response.write(layer.bytes.subarray(0, 100_000), () =>
      setTimeout(() => response.destroy(), 20),
    );
    return true;
  });
  const registry = open(t, [cutting.host]);
  const reference = { host: origin.host, repository: 'a/web', digest: manifest.digest };
  const bytes = await gather(registry.blob(reference, layer));
  t.true(bytes.equals(layer.bytes));
  const range = origin.requests.find(({ line }) => line.includes('/blobs/'))?.headers.range;
  t.regex(String(range), /^bytes=[1-9]\d*-$/);
});

test('a mirror with a wrong manifest is passed over', async (t) => {
  const origin = await startServer(t, serve);
  const lying = await startServer(t, (_, response) => {
    response.writeHead(200, { 'content-type': mediaTypes.manifest }).end('{"schemaVersion":2}');
    return true;
  });
  const registry = open(t, [lying.host]);
  const reference = { host: origin.host, repository: 'a/web', digest: manifest.digest };
  t.is((await registry.manifest(reference)).digest, manifest.digest);
  t.is(linesOf(origin).length, 1);
});

test('a mirror is asked with its own login, never with that of the registry', async (t) => {
  const origin = await startServer(t, serve);
  const mirror = await startServer(t, (_, response) => {
    response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    return true;
  });
  const asked: string[] = [];
  const registry = aRegistry(t, {
    mirrorsOf: () => [mirror.host],
    credentials: (host) => {
      asked.push(host);
      return host === origin.host ? { username: 'u', password: 'origin' } : undefined;
    },
  });
  await registry.manifest({ host: origin.host, repository: 'a/web', digest: manifest.digest });
  t.deepEqual(asked, [mirror.host]);
  t.false(mirror.requests.some(({ headers }) => headers.authorization !== undefined));
});

test('where everybody fails it is the registry that says why', async (t) => {
  const registry = open(t, ['127.0.0.1:1']);
  const origin = await startServer(t, () => false);
  const reference = { host: origin.host, repository: 'a/web', digest: manifest.digest };
  t.is(codeOf(await t.throwsAsync(registry.manifest(reference))), 'IMAGE_UNKNOWN');
});

test('registries.json gives mirrors, exceptions from TLS and the proxy, and takes nothing unknown', async (t) => {
  const dir = tempFolder(t);
  mkdirSync(dir, { recursive: true });
  const write = (value: unknown): void =>
    writeFileSync(join(dir, 'registries.json'), JSON.stringify(value));
  const env = { HTTPS_PROXY: 'http://env:1' };
  t.is((await readSettings(dir, env)).proxyFor(new URL('https://x.example'))?.host, 'env');
  write({
    registries: {
      'docker.io': { mirrors: ['m.lan:5000', 'c.lan/hub'] },
      'old.lan:80': { insecure: true },
    },
    proxy: { https: 'socks5://p.lan', noProxy: ['.lan'] },
  });
  const settings = await readSettings(dir, env);
  t.deepEqual(settings.mirrorsOf('docker.io'), ['m.lan:5000', 'c.lan/hub']);
  t.deepEqual(settings.mirrorsOf('constructor'), []);
  t.true(settings.isInsecure('old.lan:80'));
  t.false(settings.isInsecure('docker.io'));
  t.is(settings.proxyFor(new URL('https://x.example'))?.host, 'p.lan');
  t.is(settings.proxyFor(new URL('http://x.example'))?.host, 'p.lan');
  t.is(settings.proxyFor(new URL('https://m.lan:5000')), undefined);
  for (const wrong of [
    { registries: { 'https://a': {} } },
    { registries: { a: { mirrors: ['http://m'] } } },
    { proxy: { https: 'ftp://p' } },
    { mirrors: [] },
  ]) {
    write(wrong);
    t.is(codeOf(await t.throwsAsync(readSettings(dir, env))), 'CONFIG_BAD', JSON.stringify(wrong));
  }
});
