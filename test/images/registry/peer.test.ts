// SPDX-License-Identifier: Apache-2.0
// Debian's docker-registry as the other side: push, pull, mounts, TLS with and without a client certificate.

import { rmSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import { mediaTypes } from '../../../images/oci/media.js';
import type { Registry } from '../../../images/registry/client.js';
import { codeOf } from '../../../protocol/error.js';
import { makeCerts, tempFolder } from '../../kit/images-certs.js';
import { startDockerRegistry } from '../../kit/images-docker-registry.js';
import {
  aBlob,
  aManifest,
  aRegistry,
  gather,
  startServer,
  type TestBlob,
} from '../../kit/images-server.js';
import { needs } from '../../kit/needs.js';

const withPeer = needs(['docker-registry']);

const pushable = (
  blob: TestBlob,
): TestBlob & { read(from: number, to: number): AsyncIterable<Buffer> } => ({
  ...blob,
  read: async function* (from, to) {
    for (let at = from; at < to; at += 65_536)
      yield blob.bytes.subarray(at, Math.min(to, at + 65_536));
  },
});

async function pushAll(
  t: ExecutionContext,
  registry: Registry,
  host: string,
  layers: TestBlob[],
): Promise<TestBlob> {
  const reference = { host, repository: 'a/web', tag: 'v1' };
  const { config, manifest } = aManifest(layers);
  for (const blob of [...layers, config]) {
    t.is(await registry.pushBlob(reference, pushable(blob)), 'sent');
  }
  await registry.pushManifest(reference, { ...manifest, mediaType: mediaTypes.manifest });
  return manifest;
}

withPeer(
  'an image is pushed over plain HTTP on loopback and pulled by tag and by digest',
  async (t) => {
    const host = await startDockerRegistry(t);
    const registry = aRegistry(t, { idleTimeoutMs: 10_000 });
    const small = aBlob(1000);
    const large = aBlob(20 * 1024 * 1024); // more than one chunk
    const manifest = await pushAll(t, registry, host, [small, large]);
    const reference = { host, repository: 'a/web' };
    const byTag = await registry.manifest({ ...reference, tag: 'v1' });
    t.is(byTag.digest, manifest.digest);
    t.is(byTag.mediaType, mediaTypes.manifest);
    t.deepEqual(await registry.manifest({ ...reference, digest: manifest.digest }), byTag);
    t.true((await gather(registry.blob(reference, large))).equals(large.bytes));
    const tail = await gather(registry.blob(reference, large, { from: large.size - 100 }));
    t.deepEqual(tail, large.bytes.subarray(-100));
    t.is(await registry.pushBlob(reference, pushable(small)), 'there');
    const other = { host, repository: 'b/other' };
    t.is(await registry.pushBlob(other, pushable(large), { mountFrom: 'a/web' }), 'mounted');
    const unknown = await t.throwsAsync(registry.manifest({ ...reference, tag: 'v2' }));
    t.is(codeOf(unknown), 'IMAGE_UNKNOWN');
    const noBlob = await t.throwsAsync(gather(registry.blob(reference, aBlob(5))));
    t.is(codeOf(noBlob), 'IMAGE_UNKNOWN');
  },
);

withPeer('bytes that are not the digest are refused by the registry, with a code', async (t) => {
  const host = await startDockerRegistry(t);
  const registry = aRegistry(t, { idleTimeoutMs: 10_000 });
  const wrong = { ...aBlob(500), digest: aBlob(1).digest };
  const error = await t.throwsAsync(
    registry.pushBlob({ host, repository: 'web' }, pushable(wrong)),
  );
  t.is(codeOf(error), 'REGISTRY_REFUSED');
  t.regex(error?.message ?? '', /DIGEST_INVALID/);
});

withPeer('with mutual TLS only the certificate of certs.d opens the registry', async (t) => {
  const certs = makeCerts(t);
  const host = await startDockerRegistry(t, { certs, clientAuth: true });
  const reference = { host, repository: 'web', tag: 'v1' };
  const codeWith = async (certDirs: string[]): Promise<string> =>
    codeOf(
      await t.throwsAsync(aRegistry(t, { certDirs, idleTimeoutMs: 5000 }).manifest(reference)),
    );
  t.is(await codeWith([tempFolder(t)]), 'REGISTRY_TLS');
  t.is(await codeWith([certs.certsFor(host)]), 'REGISTRY_TLS');
  const good = certs.certsFor(host, true);
  t.is(await codeWith(['/nowhere', good]), 'IMAGE_UNKNOWN');
  const registry = aRegistry(t, { certDirs: [good], idleTimeoutMs: 10_000 });
  const blob = aBlob(100_000);
  await pushAll(t, registry, host, [blob]);
  t.deepEqual(await gather(registry.blob({ host, repository: 'a/web' }, blob)), blob.bytes);
});

test('a step down from HTTPS to HTTP is refused, and no client certificate goes to another host', async (t) => {
  const certs = makeCerts(t);
  const plain = await startServer(t, () => true);
  const other = await startServer(
    t,
    (_, response) => {
      response.end('other');
      return true;
    },
    { ...certs, requestCert: true, rejectUnauthorized: true },
  );
  let target = `http://${plain.host}/`;
  const server = await startServer(
    t,
    (_, response) => {
      response.writeHead(307, { location: target }).end();
      return true;
    },
    { ...certs, requestCert: true, rejectUnauthorized: true },
  );
  const certDirs = [certs.certsFor(server.host, true)];
  certs.certsFor(other.host);
  const reference = { host: server.host, repository: 'web', tag: 'v1' };
  const down = await t.throwsAsync(aRegistry(t, { certDirs }).manifest(reference));
  t.is(codeOf(down), 'REGISTRY_PROTOCOL');
  t.is(plain.requests.length, 0);
  target = `https://${other.host}/`;
  const asked = await t.throwsAsync(aRegistry(t, { certDirs }).manifest(reference));
  t.is(codeOf(asked), 'REGISTRY_TLS');
  t.is(other.requests.length, 0);
});

test('a certificate for another name is not believed, nor one of an unknown authority', async (t) => {
  const certs = makeCerts(t);
  const server = await startServer(t, () => true, certs);
  const registry = aRegistry(t, { certDirs: [makeCerts(t).certsFor(server.host)] });
  const error = await t.throwsAsync(
    registry.manifest({ host: server.host, repository: 'web', tag: 'a' }),
  );
  t.is(codeOf(error), 'REGISTRY_TLS');
});

test('plain HTTP beyond loopback is not spoken unless it is allowed', async (t) => {
  const registry = aRegistry(t, { retry: { attemptCountMax: 1 } });
  const server = await startServer(t, () => false);
  // Another name for this machine, which is no loopback address to us.
  const host = server.host.replace('127.0.0.1', '0.0.0.0');
  const error = await t.throwsAsync(registry.manifest({ host, repository: 'web', tag: 'a' }));
  t.is(codeOf(error), 'REGISTRY_PLAIN');
  t.true(server.requests.length === 0);
  const open = aRegistry(t, { insecure: true, retry: { attemptCountMax: 1 } });
  await t.throwsAsync(open.manifest({ host, repository: 'web', tag: 'a' }));
  t.is(server.requests.length, 1);
});

test('a client certificate without its key is said to be incomplete', async (t) => {
  const certs = makeCerts(t);
  const dir = certs.certsFor('127.0.0.1:1', true);
  rmSync(`${dir}/127.0.0.1:1/client.key`);
  const registry = aRegistry(t, { certDirs: [dir] });
  const error = await t.throwsAsync(
    registry.manifest({ host: '127.0.0.1:1', repository: 'web', tag: 'a' }),
  );
  t.is(codeOf(error), 'REGISTRY_CERTS');
});
