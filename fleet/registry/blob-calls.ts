// SPDX-License-Identifier: Apache-2.0
// The end points of blobs: GET and HEAD with Range, uploads in one or many pieces, mounts. The bytes are
// streamed, never gathered. Who may call them, and for which blobs, registry.ts has checked.

import { pipeline } from 'node:stream/promises';
import type { Digest } from '../../protocol/name.js';
import { type Call, isHead, sendEmpty } from './answer.js';
import type { Blobs } from './blobs.js';
import { spanOf } from './range.js';
import { checkName, digestOf } from './route.js';
import { Refusal } from './types.js';
import type { Upload, Uploads } from './uploads.js';

export async function sendBlob(call: Call, blobs: Blobs, digest: Digest): Promise<void> {
  // A push asks by HEAD whether it may leave the blob out.
  const size = isHead(call) ? await blobs.touch(digest) : await blobs.size(digest);
  if (size === undefined) throw new Refusal(404, 'BLOB_UNKNOWN', `there is no blob ${digest}`);
  const { request, response } = call;
  const etag = `"${digest}"`;
  const headers = {
    'content-type': 'application/octet-stream',
    'docker-content-digest': digest,
    'accept-ranges': 'bytes',
    'cache-control': 'max-age=31536000, immutable',
    etag,
  };
  if (request.headers['if-none-match'] === etag) {
    response.writeHead(304, headers).end();
    return;
  }
  const { range, 'if-range': ifRange } = request.headers;
  const span = spanOf({ range, ifRange: ifRange as string | undefined }, size, etag);
  if (span.kind === 'unsatisfiable') {
    const text = `the blob has ${size} bytes`;
    throw new Refusal(416, 'SIZE_INVALID', text, { 'content-range': `bytes */${size}` });
  }
  const [start, end] = span.kind === 'part' ? [span.start, span.end] : [0, size - 1];
  response.writeHead(span.kind === 'part' ? 206 : 200, {
    ...headers,
    'content-length': String(end - start + 1),
    ...(span.kind === 'part' ? { 'content-range': `bytes ${start}-${end}/${size}` } : {}),
  });
  if (isHead(call) || size === 0) response.end();
  else await pipeline(blobs.stream(digest, start, end), response);
}

/** POST: a mount, a whole blob, or a new upload; a mount that may not be becomes an upload. */
export async function startUpload(
  call: Call,
  name: string,
  blobs: Blobs,
  uploads: Uploads,
  mayMount: (digest: Digest, from: string | null) => Promise<boolean>,
): Promise<void> {
  const mount = call.query.get('mount');
  if (mount !== null) {
    const digest = digestOf(mount);
    const from = call.query.get('from');
    if (from !== null) checkName(from);
    if ((await mayMount(digest, from)) && (await blobs.touch(digest)) !== undefined) {
      sendCreated(call, name, digest);
      return;
    }
  }
  const digest = call.query.get('digest');
  if (digest === null || mount !== null) {
    const upload = await uploads.create(name);
    sendEmpty(call, 202, { ...progressOf(upload), 'oci-chunk-min-length': '0' });
    return;
  }
  const wanted = digestOf(digest);
  const upload = await uploads.create(name);
  try {
    await uploads.append(upload, call.request);
  } catch (error) {
    await uploads.drop(upload);
    throw error;
  }
  await uploads.finish(upload, wanted);
  sendCreated(call, name, wanted);
}

/** PATCH: one piece. */
export async function continueUpload(call: Call, upload: Upload, uploads: Uploads): Promise<void> {
  checkStart(call, upload);
  await uploads.append(upload, call.request);
  sendEmpty(call, 202, progressOf(upload));
}

/** PUT: the last piece, which may be empty, and the digest of the whole. */
export async function endUpload(call: Call, upload: Upload, uploads: Uploads): Promise<void> {
  const digest = digestOf(call.query.get('digest') ?? '');
  checkStart(call, upload);
  await uploads.append(upload, call.request);
  await uploads.finish(upload, digest);
  sendCreated(call, upload.name, digest);
}

export function sendProgress(call: Call, upload: Upload): void {
  sendEmpty(call, 204, progressOf(upload));
}

/** Distribution-spec §Pushing a blob in chunks: Content-Range is `start-end`, and pieces come in order. */
function checkStart(call: Call, upload: Upload): void {
  const range = call.request.headers['content-range'];
  if (range === undefined) return;
  const match = /^(?:bytes )?(\d{1,15})-(\d{1,15})(?:\/.*)?$/.exec(range);
  if (match !== null && Number(match[1]) === upload.offset) return;
  const text = `the next byte is ${upload.offset}`;
  throw new Refusal(416, 'BLOB_UPLOAD_INVALID', text, progressOf(upload));
}

function progressOf(upload: Upload): Record<string, string> {
  return {
    location: `/v2/${upload.name}/blobs/uploads/${upload.id}`,
    range: `0-${Math.max(0, upload.offset - 1)}`,
    'docker-upload-uuid': upload.id,
  };
}

function sendCreated(call: Call, name: string, digest: Digest): void {
  sendEmpty(call, 201, {
    location: `/v2/${name}/blobs/${digest}`,
    'docker-content-digest': digest,
  });
}
