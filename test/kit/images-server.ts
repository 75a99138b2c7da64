// SPDX-License-Identifier: Apache-2.0
// A small real HTTP or HTTPS server that a test scripts: it serves one image, and what the test puts in front
// decides where it lies, cuts, waits or refuses.

import { createHash, randomBytes } from 'node:crypto';
import { createServer as createPlain, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTls } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { ExecutionContext } from 'ava';
import { mediaTypes } from '../../images/oci/media.js';
import { hostPlatform } from '../../images/oci/platform.js';
import { openRegistry, type Registry, type RegistryOptions } from '../../images/registry/client.js';
import type { Digest } from '../../protocol/name.js';

export type Answer = (
  request: IncomingMessage,
  response: ServerResponse,
) => boolean | undefined | Promise<boolean | undefined>;

export interface TestServer {
  readonly host: string;
  /** `GET /v2/…` with the range or authorization where they were sent. */
  readonly requests: Array<{ line: string; headers: IncomingMessage['headers'] }>;
}

/** `answer` gives true where it has answered; else 404. */
export async function startServer(
  t: ExecutionContext,
  answer: Answer,
  tls?: {
    cert: string;
    key: string;
    ca?: string;
    requestCert?: boolean;
    rejectUnauthorized?: boolean;
  },
): Promise<TestServer> {
  const requests: TestServer['requests'] = [];
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    requests.push({ line: `${request.method} ${request.url}`, headers: request.headers });
    Promise.resolve(answer(request, response)).then(
      (done) => {
        if (done !== true) response.writeHead(404).end();
      },
      (error: unknown) => response.destroy(error as Error),
    );
  };
  const server = tls === undefined ? createPlain(listener) : createTls(tls, listener);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

/** A registry client that gives up fast. */
export function aRegistry(t: ExecutionContext, options: RegistryOptions = {}): Registry {
  const registry = openRegistry({
    connectTimeoutMs: 2000,
    idleTimeoutMs: 10_000,
    ...options,
    retry: { firstMs: 5, stepMsMax: 20, askedMsMax: 2000, ...options.retry },
  });
  t.teardown(() => registry.close());
  return registry;
}

export function digestFor(bytes: Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

export interface TestBlob {
  readonly digest: Digest;
  readonly size: number;
  readonly bytes: Buffer;
}

export function aBlob(size: number): TestBlob {
  const bytes = randomBytes(size);
  return { digest: digestFor(bytes), size, bytes };
}

/** A manifest over blobs that are not real layers: enough for transfers. */
export function aManifest(layers: readonly TestBlob[]): { config: TestBlob; manifest: TestBlob } {
  const json = (value: object): TestBlob => {
    const bytes = Buffer.from(JSON.stringify(value));
    return { digest: digestFor(bytes), size: bytes.length, bytes };
  };
  const config = json({
    ...hostPlatform(),
    rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
  });
  const manifest = json({
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: { mediaType: mediaTypes.config, digest: config.digest, size: config.size },
    layers: layers.map(({ digest, size }) => ({ mediaType: mediaTypes.layerTar, digest, size })),
  });
  return { config, manifest };
}

/** Serves blobs with Range and ETag, as a good registry does; gives true where it knew the path. */
export function serveBlobs(
  blobs: readonly TestBlob[],
  request: IncomingMessage,
  response: ServerResponse,
): boolean {
  const blob = blobs.find(({ digest }) => request.url?.split('?')[0]?.endsWith(digest) === true);
  if (blob === undefined) return false;
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const head = from === 0 ? {} : { 'content-range': `bytes ${from}-${blob.size - 1}/${blob.size}` };
  response.writeHead(from === 0 ? 200 : 206, {
    'content-length': blob.size - from,
    etag: `"${blob.digest}"`,
    'content-type':
      request.url?.includes('/manifests/') === true
        ? mediaTypes.manifest
        : 'application/octet-stream',
    ...head,
  });
  response.end(request.method === 'HEAD' ? undefined : blob.bytes.subarray(from));
  return true;
}

export async function gather(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}
