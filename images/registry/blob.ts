// SPDX-License-Identifier: Apache-2.0
// A blob as one stream, whatever the link does: after a cut it goes on where it stopped, with Range, or skips
// what it has given already where the registry ignores that. The stream has exactly the size that was asked
// for. It does NOT check the digest: wherry-layer does for layers, verified() for the rest.

import { createHash } from 'node:crypto';
import { failureOf, type HttpResponse } from '../../adapters/http.js';
import { CodedError, messageOf } from '../../protocol/error.js';
import type { Digest } from '../../protocol/name.js';
import { checkBytes, documentBytesMax, wrongBytes } from '../oci/document.js';
import type { Reference } from '../oci/reference.js';
import { protocolError, type Subject } from './failure.js';
import { type RegistryContext, subjectOf } from './manifest.js';
import { delayMs, withRetry } from './retry.js';

export interface BlobWanted {
  readonly digest: Digest;
  readonly size: number;
}

export interface BlobOptions {
  readonly from?: number;
  readonly signal?: AbortSignal;
}

interface Transfer {
  readonly context: RegistryContext;
  readonly reference: Reference;
  readonly blob: BlobWanted;
  readonly subject: Subject;
  readonly signal: AbortSignal | undefined;
  /** Bytes given to the reader so far. */
  offset: number;
  /** A strong validator of what was read so far (RFC 9110 §13.1.5). */
  etag: string | undefined;
}

/** Resumes of one blob in all; those without progress are bounded by the retry rule. */
const resumeCountMax = 1000;

/** From byte `from`, 0 where absent. @throws IMAGE_UNKNOWN, IMAGE_DIGEST for another size, REGISTRY_CUT, REGISTRY_* */
export async function* fetchBlob(
  context: RegistryContext,
  reference: Reference,
  blob: BlobWanted,
  options: BlobOptions = {},
): AsyncGenerator<Buffer> {
  const { signal } = options;
  const subject = subjectOf(reference, 'blob', blob.digest);
  const transfer = {
    context,
    reference,
    blob,
    subject,
    signal,
    offset: options.from ?? 0,
    etag: undefined,
  };
  let stuckCount = 0;
  for (let count = 0; transfer.offset < blob.size; count += 1) {
    const from = transfer.offset;
    const cut = yield* onePass(transfer);
    if (transfer.offset === blob.size) return;
    stuckCount = transfer.offset > from ? 0 : stuckCount + 1;
    if (stuckCount >= context.rule.attemptCountMax || count >= resumeCountMax) {
      throw cutError(transfer, cut);
    }
    await context.clock.sleep(delayMs(context.rule, stuckCount + 1, Math.random()), signal);
  }
}

/** Reads until the blob or the connection ends; gives what cut it short. */
async function* onePass(transfer: Transfer): AsyncGenerator<Buffer, unknown> {
  const response = await open(transfer);
  let skip = await begin(transfer, response);
  try {
    for await (const chunk of response.body) {
      const fresh = chunk.subarray(Math.min(skip, chunk.length));
      skip -= chunk.length - fresh.length;
      if (fresh.length === 0) continue;
      if (transfer.offset + fresh.length > transfer.blob.size)
        throw wrongSize(transfer, 'is longer');
      transfer.offset += fresh.length;
      yield fresh;
    }
    return new Error('the body ended early');
  } catch (error) {
    transfer.signal?.throwIfAborted();
    if (failureOf(error) === undefined) throw error;
    return error;
  }
}

async function open(transfer: Transfer): Promise<HttpResponse> {
  const { context, reference, blob, subject, signal, offset, etag } = transfer;
  const range = { range: `bytes=${offset}-`, ...(etag === undefined ? {} : { 'if-range': etag }) };
  const attempt = async (): Promise<HttpResponse> =>
    context.exchange({
      method: 'GET',
      path: `/v2/${reference.repository}/blobs/${blob.digest}`,
      headers: { 'accept-encoding': 'identity', ...(offset === 0 ? {} : range) },
      scope: { host: reference.host, repository: reference.repository, actions: 'pull' },
      subject,
      statuses: [200, 206, 416],
      signal,
    });
  return withRetry(attempt, { rule: context.rule, clock: context.clock, signal });
}

/** How many bytes of the body to skip. @throws IMAGE_DIGEST, REGISTRY_PROTOCOL */
async function begin(transfer: Transfer, response: HttpResponse): Promise<number> {
  const { etag } = response.headers;
  transfer.etag = etag?.startsWith('"') === true ? etag : undefined;
  try {
    if (response.status === 416) throw wrongSize(transfer, `ends before byte ${transfer.offset}`);
    if (response.status === 206) {
      checkRange(transfer, response.headers['content-range']);
      return 0;
    }
    const length = response.headers['content-length'];
    if (length !== undefined && Number(length) !== transfer.blob.size) {
      throw wrongSize(transfer, `has ${length} bytes`);
    }
    return transfer.offset;
  } catch (error) {
    await response.discard();
    throw error;
  }
}

/** RFC 9110 §14.4; §15.3.7: a 206 may start elsewhere than was asked for, which would mix up the bytes. */
function checkRange(transfer: Transfer, header: string | undefined): void {
  const match = /^bytes (\d{1,16})-(\d{1,16})\/(\d{1,16}|\*)$/.exec(header ?? '');
  if (match === null || Number(match[1]) !== transfer.offset) {
    const found = header === undefined ? 'none' : header.slice(0, 64);
    throw protocolError(
      `sent the range '${found}', not from byte ${transfer.offset}`,
      transfer.subject,
    );
  }
  if (match[3] !== '*' && Number(match[3]) !== transfer.blob.size) {
    throw wrongSize(transfer, `has ${match[3]} bytes`);
  }
}

function wrongSize(transfer: Transfer, what: string): CodedError {
  const { blob, reference } = transfer;
  const found = `${what}; its descriptor says ${blob.size} bytes`;
  return wrongBytes(`the blob that ${reference.host} sent for`, blob.digest, found);
}

function cutError(transfer: Transfer, cause: unknown): CodedError {
  const { blob, subject, offset } = transfer;
  const done = `${offset} of ${blob.size} bytes`;
  return new CodedError(
    'REGISTRY_CUT',
    `the registry ${subject.host} cut the transfer of ${subject.name} at ${done}: ${messageOf(cause)}`,
    { host: subject.host, digest: blob.digest, offset },
    { cause },
  );
}

/** Passes a stream on and checks its digest at the end. @throws IMAGE_DIGEST */
export async function* verified(
  blob: BlobWanted,
  source: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  for await (const chunk of source) {
    hash.update(chunk);
    yield chunk;
  }
  const found: Digest = `sha256:${hash.digest('hex')}`;
  if (found !== blob.digest) throw wrongBytes('the blob', blob.digest, `has the digest ${found}`);
}

/** A small blob whole, checked: a config. @throws as fetchBlob; IMAGE_LIMIT past 4 MiB */
export async function fetchSmallBlob(
  context: RegistryContext,
  reference: Reference,
  blob: BlobWanted,
  options: { signal?: AbortSignal } = {},
): Promise<Buffer> {
  if (blob.size > documentBytesMax) {
    throw new CodedError('IMAGE_LIMIT', `${blob.digest} is longer than ${documentBytesMax} bytes`);
  }
  const chunks: Buffer[] = [];
  for await (const chunk of fetchBlob(context, reference, blob, options)) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  checkBytes(bytes, blob, `the blob that ${reference.host} sent for`);
  return bytes;
}
