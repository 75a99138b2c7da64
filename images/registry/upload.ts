// SPDX-License-Identifier: Apache-2.0
// Pushes to a registry (OCI distribution-spec §Push). A blob that is there is not sent; one of another
// repository of the same registry is mounted. A short blob goes in one PUT, a long one in chunks, each
// resumed from where the registry says it stands. The source must be readable from any offset.

import type { HttpResponse } from '../../adapters/http.js';
import type { Digest } from '../../protocol/name.js';
import type { Reference } from '../oci/reference.js';
import type { Wanted } from './exchange.js';
import { isPassing, protocolError, type Subject } from './failure.js';
import { type RegistryContext, subjectOf } from './manifest.js';
import { delayMs, withRetry } from './retry.js';

export interface PushedBlob {
  readonly digest: Digest;
  readonly size: number;
  /** Bytes `from` up to before `to`, each time it is called. */
  read(from: number, to: number): AsyncIterable<Uint8Array>;
}

export interface PushOptions {
  /** A repository of the same registry that may have the blob. */
  readonly mountFrom?: string;
  /** Bytes sent so far, sinking where a chunk is sent again. */
  readonly onProgress?: (bytes: number) => void;
  readonly signal?: AbortSignal;
}

export type PushOutcome = 'there' | 'mounted' | 'sent';

const chunkBytes = 16 * 1024 * 1024;

interface Upload {
  readonly context: RegistryContext;
  readonly reference: Reference;
  readonly subject: Subject;
  readonly signal: AbortSignal | undefined;
  /** Where the next request goes. */
  location: URL;
}

/** @throws REGISTRY_*; REGISTRY_REFUSED where the registry found other bytes than the digest's */
export async function pushBlob(
  context: RegistryContext,
  reference: Reference,
  blob: PushedBlob,
  options: PushOptions = {},
): Promise<PushOutcome> {
  const subject = subjectOf(reference, 'upload', blob.digest);
  const retry = { rule: context.rule, clock: context.clock, signal: options.signal };
  if (await withRetry(async () => isThere(context, reference, blob, options), retry))
    return 'there';
  return withRetry(async () => {
    const upload = await beginUpload(context, reference, subject, blob.digest, options);
    if (upload === undefined) return 'mounted';
    await (blob.size <= chunkBytes ? sendWhole : sendChunks)(upload, blob, options);
    return 'sent';
  }, retry);
}

function requestOf(
  reference: Reference,
  subject: Subject,
  signal: AbortSignal | undefined,
): Pick<Wanted, 'scope' | 'subject' | 'signal'> {
  const { host, repository } = reference;
  return { scope: { host, repository, actions: 'pull,push' }, subject, signal };
}

async function isThere(
  context: RegistryContext,
  reference: Reference,
  blob: PushedBlob,
  { signal }: PushOptions,
): Promise<boolean> {
  const subject = subjectOf(reference, 'blob', blob.digest);
  const response = await context.exchange({
    ...requestOf(reference, subject, signal),
    method: 'HEAD',
    path: `/v2/${reference.repository}/blobs/${blob.digest}`,
    statuses: [200, 404],
  });
  await response.discard();
  const length = response.headers['content-length'];
  return response.status === 200 && (length === undefined || Number(length) === blob.size);
}

async function beginUpload(
  context: RegistryContext,
  reference: Reference,
  subject: Subject,
  digest: Digest,
  { mountFrom, signal }: PushOptions,
): Promise<Upload | undefined> {
  const mount =
    mountFrom === undefined ? '' : `?mount=${digest}&from=${encodeURIComponent(mountFrom)}`;
  const response = await context.exchange({
    ...requestOf(reference, subject, signal),
    method: 'POST',
    path: `/v2/${reference.repository}/blobs/uploads/${mount}`,
    body: () => new Uint8Array(),
    statuses: [201, 202],
  });
  if (response.status === 201) {
    await response.discard();
    return undefined;
  }
  const upload = { context, reference, subject, signal, location: new URL('http://unset') };
  await moveOn(upload, response);
  return upload;
}

/**
 * Takes the next address from Location. It must be on the registry itself, since credentials and bytes go
 * there; one that a TLS proxy in front has left as http is meant as https.
 */
async function moveOn(upload: Upload, response: HttpResponse): Promise<void> {
  await response.discard();
  const origin = await upload.context.origin(upload.reference.host, upload.signal);
  const { location } = response.headers;
  if (location === undefined) throw protocolError('gives an upload no address', upload.subject);
  let next: URL;
  try {
    next = new URL(location, origin);
  } catch {
    throw protocolError('gives an upload an address that is no URL', upload.subject);
  }
  if (next.hostname !== origin.hostname) {
    throw protocolError(`sends the upload to another host, ${next.host}`, upload.subject);
  }
  next.protocol = origin.protocol;
  next.port = origin.port;
  upload.location = next;
}

function withDigest(location: URL, digest: Digest): URL {
  const url = new URL(location);
  url.searchParams.set('digest', digest);
  return url;
}

async function sendWhole(upload: Upload, blob: PushedBlob, options: PushOptions): Promise<void> {
  const response = await upload.context.exchange({
    ...requestOf(upload.reference, upload.subject, upload.signal),
    method: 'PUT',
    path: withDigest(upload.location, blob.digest),
    headers: bodyHeaders(blob.size),
    body: () => counted(blob.read(0, blob.size), 0, options),
    statuses: [201],
  });
  await response.discard();
}

async function sendChunks(upload: Upload, blob: PushedBlob, options: PushOptions): Promise<void> {
  const { context, signal } = upload;
  let offset = 0;
  let stuckCount = 0;
  while (offset < blob.size) {
    try {
      const end = Math.min(offset + chunkBytes, blob.size);
      await sendChunk(upload, blob, offset, end, options);
      offset = end;
      stuckCount = 0;
    } catch (error) {
      stuckCount += 1;
      if (!isPassing(error) || stuckCount >= context.rule.attemptCountMax) throw error;
      await context.clock.sleep(delayMs(context.rule, stuckCount, Math.random()), signal);
      offset = await standOf(upload);
    }
  }
  const response = await context.exchange({
    ...requestOf(upload.reference, upload.subject, signal),
    method: 'PUT',
    path: withDigest(upload.location, blob.digest),
    body: () => new Uint8Array(),
    statuses: [201],
  });
  await response.discard();
}

async function sendChunk(
  upload: Upload,
  blob: PushedBlob,
  from: number,
  to: number,
  options: PushOptions,
): Promise<void> {
  const response = await upload.context.exchange({
    ...requestOf(upload.reference, upload.subject, upload.signal),
    method: 'PATCH',
    path: upload.location,
    headers: { ...bodyHeaders(to - from), 'content-range': `${from}-${to - 1}` },
    body: () => counted(blob.read(from, to), from, options),
    statuses: [202, 204],
  });
  await moveOn(upload, response);
}

/** How many bytes the registry has of an upload. */
async function standOf(upload: Upload): Promise<number> {
  const response = await upload.context.exchange({
    ...requestOf(upload.reference, upload.subject, upload.signal),
    method: 'GET',
    path: upload.location,
    statuses: [204],
  });
  await moveOn(upload, response);
  const match = /^(?:bytes=)?0-(\d{1,16})$/.exec(response.headers['range']?.toString() ?? '');
  const last = Number(match?.[1] ?? 0);
  return last === 0 ? 0 : last + 1; // an empty upload is told as 0-0
}

function bodyHeaders(length: number): Record<string, string> {
  return { 'content-type': 'application/octet-stream', 'content-length': String(length) };
}

async function* counted(
  source: AsyncIterable<Uint8Array>,
  from: number,
  { onProgress }: PushOptions,
): AsyncGenerator<Uint8Array> {
  let sent = from;
  for await (const chunk of source) {
    yield chunk;
    sent += chunk.length;
    onProgress?.(sent);
  }
}

/** Puts a manifest or index under the reference's tag, or its digest. @throws REGISTRY_* */
export async function pushManifest(
  context: RegistryContext,
  reference: Reference,
  manifest: { mediaType: string; bytes: Uint8Array; digest: Digest },
  signal?: AbortSignal,
): Promise<void> {
  const name = reference.tag ?? manifest.digest;
  const subject = subjectOf(reference, 'push of manifest', name);
  const attempt = async (): Promise<void> => {
    const response = await context.exchange({
      ...requestOf(reference, subject, signal),
      method: 'PUT',
      path: `/v2/${reference.repository}/manifests/${name}`,
      headers: { 'content-type': manifest.mediaType },
      body: () => manifest.bytes,
      statuses: [201, 202],
    });
    await response.discard();
    const said = response.headers['docker-content-digest'];
    if (said !== undefined && said !== manifest.digest) {
      throw protocolError(`took ${manifest.digest} for ${String(said).slice(0, 80)}`, subject);
    }
  };
  await withRetry(attempt, { rule: context.rule, clock: context.clock, signal });
}
