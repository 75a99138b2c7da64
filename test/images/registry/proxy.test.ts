// SPDX-License-Identifier: Apache-2.0
// Pulls through real proxies: TLS goes through untouched, names are the proxy's to look up, logins count, and what
// a proxy says no to has its own code.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { parseProxy } from '../../../adapters/proxy.js';
import { mediaTypes } from '../../../images/oci/media.js';
import type { Registry, RegistryOptions } from '../../../images/registry/client.js';
import { codeOf } from '../../../protocol/error.js';
import { anHttpProxy, aSocksProxy } from '../../kit/edges-proxy.js';
import { makeCerts } from '../../kit/images-certs.js';
import {
  aBlob,
  aManifest,
  aRegistry,
  gather,
  serveBlobs,
  startServer,
} from '../../kit/images-server.js';

const reference = { host: 'registry.example', repository: 'a/web', tag: 'v1' };
const portOf = (host: string): number => Number(host.split(':')[1]);
const all = (url: string) => () => parseProxy(url, 'test');

async function anOrigin(t: ExecutionContext, isTls: boolean) {
  const layer = aBlob(300_000);
  const { config, manifest } = aManifest([layer]);
  const blobs = [layer, config, { ...manifest }];
  const certs = isTls ? makeCerts(t) : undefined;
  const server = await startServer(
    t,
    (request, response) => {
      if (request.url?.endsWith('/manifests/v1') === true) {
        response.writeHead(200, { 'content-type': mediaTypes.manifest });
        response.end(manifest.bytes);
        return true;
      }
      return serveBlobs(blobs, request, response);
    },
    certs,
  );
  const tls = certs === undefined ? {} : { ca: certs.ca, servername: 'localhost' };
  const options: RegistryOptions = {
    identity: async () => (isTls ? tls : undefined),
    insecure: !isTls,
  };
  return { layer, manifest, port: portOf(server.host), options, requests: server.requests };
}

async function pullAll(registry: Registry, layer: { digest: `sha256:${string}`; size: number }) {
  const found = await registry.manifest(reference);
  return { digest: found.digest, bytes: await gather(registry.blob(reference, layer)) };
}

for (const [kind, start] of [
  ['http', anHttpProxy],
  ['socks5', aSocksProxy],
] as const) {
  test(`an image comes over TLS through a ${kind} proxy with a login`, async (t) => {
    const origin = await anOrigin(t, true);
    const proxy = await start(t, origin.port, 'me:secret');
    const proxyFor = all(`${kind}://me:secret@127.0.0.1:${proxy.port}`);
    const registry = aRegistry(t, { ...origin.options, proxyFor });
    const { digest, bytes } = await pullAll(registry, origin.layer);
    t.is(digest, origin.manifest.digest);
    t.true(bytes.equals(origin.layer.bytes));
    const word = kind === 'http' ? 'CONNECT' : 'SOCKS';
    t.true(
      proxy.asked.every((line) => line === `${word} registry.example:443`),
      proxy.asked.join(),
    );
    t.false(origin.requests.some(({ headers }) => 'proxy-authorization' in headers));
  });

  test(`a ${kind} proxy that is away, refuses the login or the target has its code`, async (t) => {
    const origin = await anOrigin(t, true);
    const closed = await start(t, 1, undefined);
    const locked = await start(t, origin.port, 'me:secret');
    for (const address of [
      `127.0.0.1:1`,
      `127.0.0.1:${closed.port}`,
      `me:no@127.0.0.1:${locked.port}`,
    ]) {
      const registry = aRegistry(t, {
        ...origin.options,
        proxyFor: all(`${kind}://${address}`),
        retry: { attemptCountMax: 2 },
      });
      const error = await t.throwsAsync(registry.manifest(reference));
      t.is(codeOf(error), 'REGISTRY_PROXY', `${address}: ${error?.message}`);
      t.false(String(error?.message).includes('secret'));
    }
  });
}

test('plain HTTP goes to an HTTP proxy by its whole address, and through SOCKS as it is', async (t) => {
  const origin = await anOrigin(t, false);
  const http = await anHttpProxy(t, origin.port, 'me:secret');
  const socks = await aSocksProxy(t, origin.port);
  for (const url of [
    `http://me:secret@127.0.0.1:${http.port}`,
    `socks5://127.0.0.1:${socks.port}`,
  ]) {
    const registry = aRegistry(t, { ...origin.options, proxyFor: all(url) });
    const { bytes } = await pullAll(registry, origin.layer);
    t.true(bytes.equals(origin.layer.bytes), url);
  }
  t.true(
    http.asked.includes('GET http://registry.example/v2/a/web/manifests/v1'),
    http.asked.join(),
  );
});

test('a proxy that accepts and then says nothing runs into the time limit', async (t) => {
  const silent = createServer();
  silent.on('connect', () => undefined);
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    silent.closeAllConnections();
    silent.close();
  });
  const { port } = silent.address() as AddressInfo;
  const registry = aRegistry(t, {
    identity: async () => undefined,
    proxyFor: all(`http://127.0.0.1:${port}`),
    connectTimeoutMs: 100,
    retry: { attemptCountMax: 1 },
  });
  const error = await t.throwsAsync(registry.manifest(reference));
  t.is(codeOf(error), 'REGISTRY_PROXY', error?.message);
});

test('a SOCKS proxy is told an IPv6 address as such', async (t) => {
  const origin = await anOrigin(t, false);
  const socks = await aSocksProxy(t, origin.port);
  const registry = aRegistry(t, {
    ...origin.options,
    proxyFor: all(`socks5://127.0.0.1:${socks.port}`),
  });
  await registry.manifest({ ...reference, host: '[fd00::12:1]:5000' });
  t.is(socks.asked.at(-1), 'SOCKS fd00:0:0:0:0:0:12:1:5000');
});

test('a registry on IPv6 is spoken to by its address in brackets', async (t) => {
  const layer = aBlob(1000);
  const server = createServer((request, response) => {
    if (!serveBlobs([layer], request, response)) response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '::1', resolve));
  t.teardown(() => server.close());
  const host = `[::1]:${(server.address() as AddressInfo).port}`;
  const registry = aRegistry(t);
  const bytes = await gather(registry.blob({ host, repository: 'a' }, layer));
  t.true(bytes.equals(layer.bytes));
});
