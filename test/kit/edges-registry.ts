// SPDX-License-Identifier: Apache-2.0
// The registry behind a real HTTPS server with mutual TLS, a client for single requests, and a small image in
// an OCI layout: for tests of fleet/registry.

import { createHash, randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import type { IncomingHttpHeaders } from 'node:http';
import { Agent, createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { gzipSync } from 'node:zlib';
import type { ExecutionContext } from 'ava';
import { openRegistry, type Registry } from '../../fleet/registry/registry.js';
import { mediaTypes, type RegistryBounds } from '../../fleet/registry/types.js';
import type { Digest } from '../../protocol/name.js';
import { identityOf } from '../../provisioning/authority/identity.js';
import { aFleet, type Credentials, silent, type TestFleet } from './edges-fleet.js';

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** The first error's code, where there is one. */
  readonly code: string | undefined;
}

export type Ask = (
  method: string,
  path: string,
  options?: { headers?: Record<string, string>; body?: Buffer | string },
) => Promise<Reply>;

export interface TestRegistry {
  readonly fleet: TestFleet;
  readonly registry: Registry;
  readonly dir: string;
  readonly port: number;
  readonly operator: Credentials;
  /** Requests as an operator. */
  readonly ask: Ask;
  as(credentials: Partial<Credentials>): Ask;
}

export async function aRegistry(
  t: ExecutionContext,
  bounds: Partial<RegistryBounds> = {},
): Promise<TestRegistry> {
  const fleet = await aFleet(t);
  const dir = join(fleet.dir, 'registry');
  const registry = await openRegistry({ dir, log: silent, bounds });
  const { authority } = fleet;
  const server = createServer(
    {
      ...authority.server,
      ca: authority.certificatePem,
      requestCert: true,
      rejectUnauthorized: false,
    },
    (incoming, response) => {
      const socket = incoming.socket as TLSSocket;
      const identity = socket.authorized ? identityOf(socket.getPeerCertificate()) : undefined;
      void registry.handle(incoming, response, identity);
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  t.teardown(async () => {
    server.closeAllConnections();
    server.close();
    await registry.close();
  });
  const as = (credentials: Partial<Credentials>): Ask => {
    const agent = new Agent({ ...credentials, ca: authority.certificatePem, keepAlive: true });
    t.teardown(() => agent.destroy());
    return (method, path, options = {}) => send(agent, port, method, path, options);
  };
  const operator = await fleet.operator('test');
  return { fleet, registry, dir, port, operator, ask: as(operator), as };
}

function send(
  agent: Agent,
  port: number,
  method: string,
  path: string,
  options: { headers?: Record<string, string>; body?: Buffer | string },
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const { headers = {} } = options;
    const sent = request({ agent, host: '127.0.0.1', port, method, path, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () => {
        const body = Buffer.concat(chunks);
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body,
          code: codeOf(body),
        });
      });
    });
    sent.once('error', reject);
    sent.end(options.body);
  });
}

function codeOf(body: Buffer): string | undefined {
  try {
    const { errors } = JSON.parse(String(body)) as { errors?: Array<{ code: string }> };
    return errors?.[0]?.code;
  } catch {
    return undefined;
  }
}

/** The first reply that is as wanted, asked for at most 5 s. */
export async function poll(
  ask: () => Promise<Reply>,
  isDone: (reply: Reply) => boolean,
): Promise<Reply> {
  const end = performance.now() + 5000;
  while (performance.now() < end) {
    const reply = await ask();
    if (isDone(reply)) return reply;
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  throw new Error('it did not come in time');
}

export function digestOf(bytes: Buffer | string): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** Pushes a blob in one POST. */
export async function pushBlob(ask: Ask, name: string, bytes: Buffer): Promise<Digest> {
  const digest = digestOf(bytes);
  const reply = await ask('POST', `/v2/${name}/blobs/uploads/?digest=${digest}`, { body: bytes });
  if (reply.status !== 201) throw new Error(`push of a blob: ${reply.status} ${reply.code}`);
  return digest;
}

export interface Pushed {
  readonly digest: Digest;
  readonly bytes: Buffer;
  readonly layer: Digest;
}

/** Pushes a small image; `extra` fields go into its manifest. */
export async function pushImage(
  ask: Ask,
  name: string,
  reference: string,
  extra: object = {},
): Promise<Pushed> {
  const layer = randomBytes(1000);
  const config = Buffer.from('{}');
  await pushBlob(ask, name, layer);
  await pushBlob(ask, name, config);
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config: descriptor('application/vnd.oci.image.config.v1+json', config),
      layers: [descriptor('application/vnd.oci.image.layer.v1.tar', layer)],
      ...extra,
    }),
  );
  const digest = digestOf(bytes);
  const reply = await ask('PUT', `/v2/${name}/manifests/${reference || digest}`, {
    body: bytes,
    headers: { 'content-type': mediaTypes.manifest },
  });
  if (reply.status !== 201) throw new Error(`push of a manifest: ${reply.status} ${reply.code}`);
  return { digest, bytes, layer: digestOf(layer) };
}

export function descriptor(mediaType: string, bytes: Buffer): object {
  return { mediaType, digest: digestOf(bytes), size: bytes.length };
}

/** An image of one gzip layer in an OCI layout, tag `v1`. */
export async function writeLayout(dir: string, text: string): Promise<void> {
  const blobs = join(dir, 'blobs/sha256');
  await mkdir(blobs, { recursive: true });
  const put = async (bytes: Buffer): Promise<void> => {
    await writeFile(join(blobs, digestOf(bytes).slice(7)), bytes);
  };
  const tar = tarOf('hello.txt', Buffer.from(text));
  const layer = gzipSync(tar);
  const config = Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      config: { Cmd: ['/hello'] },
      rootfs: { type: 'layers', diff_ids: [digestOf(tar)] },
    }),
  );
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config: descriptor('application/vnd.oci.image.config.v1+json', config),
      layers: [descriptor('application/vnd.oci.image.layer.v1.tar+gzip', layer)],
    }),
  );
  for (const bytes of [layer, config, manifest]) await put(bytes);
  const entry = {
    ...descriptor(mediaTypes.manifest, manifest),
    annotations: { 'org.opencontainers.image.ref.name': 'v1' },
  };
  await writeFile(
    join(dir, 'index.json'),
    JSON.stringify({ schemaVersion: 2, manifests: [entry] }),
  );
  await writeFile(join(dir, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
}

/** A ustar archive of one file (POSIX.1-1988, `ustar`). */
function tarOf(name: string, bytes: Buffer): Buffer {
  const head = Buffer.alloc(512);
  head.write(name, 0);
  head.write('0000644\0', 100);
  head.write('0000000\0', 108);
  head.write('0000000\0', 116);
  head.write(`${bytes.length.toString(8).padStart(11, '0')}\0`, 124);
  head.write('00000000000\0', 136);
  head.write('        0', 148);
  head.write('ustar\x0000', 257);
  const sum = head.reduce((total, byte) => total + byte, 0);
  head.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  const padding = Buffer.alloc((512 - (bytes.length % 512)) % 512);
  return Buffer.concat([head, bytes, padding, Buffer.alloc(1024)]);
}
