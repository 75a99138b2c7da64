// SPDX-License-Identifier: Apache-2.0
// The end points of manifests: GET, HEAD, PUT, DELETE by tag and by digest. A manifest is taken when it is
// one of the types we know, its bytes match the digest it is put under, and all that it names is here.

import { createHash } from 'node:crypto';
import { array, type Checked, integer, object, optional, string } from '../../protocol/check.js';
import { messageOf } from '../../protocol/error.js';
import { parseJson } from '../../protocol/json.js';
import { type Digest, digest } from '../../protocol/name.js';
import { type Call, readBody, sendBytes, sendEmpty } from './answer.js';
import type { Blobs } from './blobs.js';
import type { Entry, Repository } from './repository.js';
import type { Reference } from './route.js';
import { mediaTypes, Refusal, type RegistryBounds } from './types.js';

const descriptor = object(
  {
    mediaType: string({ lengthMax: 255 }),
    digest,
    size: integer(0, Number.MAX_SAFE_INTEGER),
  },
  { open: true },
);

/** The fields that the registry reads; a manifest may have others. */
const manifest = object(
  {
    schemaVersion: integer(2, 2),
    mediaType: optional(string({ lengthMax: 255 })),
    artifactType: optional(string({ lengthMax: 255 })),
    config: optional(descriptor),
    layers: optional(array(descriptor, 1024)),
    manifests: optional(array(descriptor, 1024)),
    subject: optional(descriptor),
  },
  { open: true },
);
type Manifest = Checked<typeof manifest>;

export async function sendManifest(
  call: Call,
  repository: Repository,
  reference: Reference,
  blobs: Blobs,
): Promise<void> {
  const entry = repository.manifest(keyOf(reference));
  if (entry === undefined) throw unknown(repository, reference);
  const bytes = await blobs.read(entry.digest);
  if (bytes === undefined) throw unknown(repository, reference);
  sendBytes(call, 200, bytes, {
    'content-type': entry.mediaType,
    'docker-content-digest': entry.digest,
    etag: `"${entry.digest}"`,
  });
}

export async function putManifest(
  call: Call,
  repository: Repository,
  reference: Reference,
  blobs: Blobs,
  bounds: RegistryBounds,
  isOwn: (digest: Digest) => Promise<boolean>,
): Promise<void> {
  const type = (call.request.headers['content-type'] ?? '').split(';')[0]?.trim() ?? '';
  if (!Object.values(mediaTypes).some((known) => known === type)) {
    throw new Refusal(415, 'MANIFEST_INVALID', `the media type ${type.slice(0, 255)} is not taken`);
  }
  const bytes = await readBody(call.request, bounds.manifestBytesMax);
  const found = `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest;
  if (reference.kind === 'digest' && reference.digest !== found) {
    throw new Refusal(400, 'DIGEST_INVALID', `the manifest has the digest ${found}`);
  }
  const content = readManifest(bytes, type, bounds);
  await checkBlobs(content, blobs, isOwn);
  checkChildren(content, repository);
  await blobs.write(found, bytes);
  const artifactType = content.artifactType ?? content.config?.mediaType;
  const entry: Entry = {
    mediaType: type,
    digest: found,
    size: bytes.length,
    ...(content.subject === undefined ? {} : { subject: content.subject.digest }),
    ...(content.subject === undefined || artifactType === undefined ? {} : { artifactType }),
  };
  await repository.put(entry, reference.kind === 'tag' ? reference.tag : undefined);
  sendEmpty(call, 201, {
    location: `/v2/${repository.name}/manifests/${found}`,
    'docker-content-digest': found,
    ...(content.subject === undefined ? {} : { 'oci-subject': content.subject.digest }),
  });
}

export async function removeManifest(
  call: Call,
  repository: Repository,
  reference: Reference,
): Promise<void> {
  if (!(await repository.remove(keyOf(reference)))) throw unknown(repository, reference);
  sendEmpty(call, 202);
}

function readManifest(bytes: Buffer, type: string, bounds: RegistryBounds): Manifest {
  let content: Manifest;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    const value = parseJson(text, 'manifest', { bytesMax: bounds.manifestBytesMax });
    content = manifest(value, 'manifest');
  } catch (error) {
    throw new Refusal(400, 'MANIFEST_INVALID', messageOf(error));
  }
  if (content.mediaType !== undefined && content.mediaType !== type) {
    throw new Refusal(400, 'MANIFEST_INVALID', `manifest.mediaType: must be ${type}, as sent`);
  }
  const isIndex = type === mediaTypes.index || type === mediaTypes.dockerList;
  const misses = isIndex ? content.manifests === undefined : content.config === undefined;
  if (misses) {
    const field = isIndex ? 'manifests' : 'config';
    throw new Refusal(400, 'MANIFEST_INVALID', `manifest.${field}: must be there`);
  }
  return content;
}

async function checkBlobs(
  content: Manifest,
  blobs: Blobs,
  isOwn: (digest: Digest) => Promise<boolean>,
): Promise<void> {
  const named = [
    ...(content.config === undefined ? [] : [content.config]),
    ...(content.layers ?? []),
  ];
  for (const blob of named) {
    const size = (await isOwn(blob.digest)) ? await blobs.touch(blob.digest) : undefined;
    if (size === undefined) {
      throw new Refusal(404, 'MANIFEST_BLOB_UNKNOWN', `there is no blob ${blob.digest}`);
    }
    if (size !== blob.size) {
      const text = `the blob ${blob.digest} has ${size} bytes, not ${blob.size}`;
      throw new Refusal(400, 'SIZE_INVALID', text);
    }
  }
}

function checkChildren(content: Manifest, repository: Repository): void {
  for (const child of content.manifests ?? []) {
    const entry = repository.manifest({ digest: child.digest });
    if (entry === undefined) {
      const text = `there is no manifest ${child.digest} in ${repository.name}`;
      throw new Refusal(404, 'MANIFEST_BLOB_UNKNOWN', text);
    }
    if (entry.size !== child.size) {
      const text = `the manifest ${child.digest} has ${entry.size} bytes, not ${child.size}`;
      throw new Refusal(400, 'SIZE_INVALID', text);
    }
  }
}

function keyOf(reference: Reference): { tag: string } | { digest: Digest } {
  return reference.kind === 'tag' ? { tag: reference.tag } : { digest: reference.digest };
}

function unknown(repository: Repository, reference: Reference): Refusal {
  const text = reference.kind === 'tag' ? `:${reference.tag}` : `@${reference.digest}`;
  return new Refusal(404, 'MANIFEST_UNKNOWN', `there is no manifest ${repository.name}${text}`);
}
