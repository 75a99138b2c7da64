// SPDX-License-Identifier: Apache-2.0
// Copies an image from one place to another: blobs first, then manifests, the name last, so that a name never
// stands for something that is not whole. What the target has is not sent.

import { CodedError } from '../../protocol/error.js';
import type { Digest } from '../../protocol/name.js';
import type { Descriptor } from '../oci/descriptor.js';
import { badDocument } from '../oci/document.js';
import { type Manifest, parseManifest } from '../oci/manifest.js';
import { compressionOf } from '../oci/media.js';
import { type Platform, pickManifest } from '../oci/platform.js';
import type { FetchedManifest } from '../registry/manifest.js';
import type { Source, Target } from './source.js';

export interface Copied {
  readonly digest: Digest;
  readonly mediaType: string;
  /** Of everything copied, what was there already included. */
  readonly sizeBytes: number;
  /** Of blobs that the target lacked. */
  readonly sentBytes: number;
}

export interface CopyOptions {
  /** One platform of an index; absent = the whole index. */
  readonly platform?: Platform | undefined;
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
}

interface Part {
  readonly fetched: FetchedManifest;
  readonly manifest: Manifest;
}

/** @throws IMAGE_*, REGISTRY_* */
export async function copyImage(
  source: Source,
  target: Target,
  options: CopyOptions,
): Promise<Copied> {
  const { top, parts } = await select(source, options.platform);
  const blobs = blobsOf(parts);
  const sizeBytes = blobs.reduce((sum, { size }) => sum + size, 0);
  let doneBytes = 0;
  let sentBytes = 0;
  for (const blob of blobs) {
    const moved = (bytes: number): void => options.onProgress?.(doneBytes + bytes, sizeBytes);
    if (!(await target.putBlob(blob, source, moved))) sentBytes += blob.size;
    doneBytes += blob.size;
    options.onProgress?.(doneBytes, sizeBytes);
  }
  for (const { fetched } of parts) await target.putManifest(fetched);
  if (!parts.some(({ fetched }) => fetched.digest === top.digest)) await target.putManifest(top);
  await target.name(top);
  return { digest: top.digest, mediaType: top.mediaType, sizeBytes, sentBytes };
}

async function select(
  source: Source,
  platform: Platform | undefined,
): Promise<{ top: FetchedManifest; parts: Part[] }> {
  const first = named(await source.top());
  if (first.read.kind === 'manifest') {
    return { top: first.top, parts: [{ fetched: first.top, manifest: first.read }] };
  }
  const entries =
    platform === undefined ? first.read.manifests : [pickManifest(first.read, platform)];
  const parts: Part[] = [];
  for (const entry of entries) parts.push(await partOf(source, entry));
  const [only] = parts;
  return { top: platform === undefined || only === undefined ? first.top : only.fetched, parts };
}

/** A registry need not say the media type; the document does. */
function named(top: FetchedManifest): {
  top: FetchedManifest;
  read: ReturnType<typeof parseManifest>;
} {
  const read = parseManifest(top.bytes, top.mediaType);
  return { top: { ...top, mediaType: read.mediaType }, read };
}

async function partOf(source: Source, entry: Descriptor): Promise<Part> {
  const fetched = { ...(await source.manifest(entry)), mediaType: entry.mediaType };
  const manifest = parseManifest(fetched.bytes, entry.mediaType);
  if (manifest.kind === 'index') throw badDocument(`the manifest ${entry.digest} is an index`);
  return { fetched, manifest };
}

/** Each blob once. @throws IMAGE_MEDIA for layers that registries do not distribute */
function blobsOf(parts: readonly Part[]): Descriptor[] {
  const found = new Map<Digest, Descriptor>();
  for (const { manifest } of parts) {
    for (const layer of manifest.layers) {
      if (/foreign|nondistributable/.test(layer.mediaType)) compressionOf(layer.mediaType);
      addBlob(found, layer);
    }
    addBlob(found, manifest.config);
  }
  return [...found.values()];
}

function addBlob(found: Map<Digest, Descriptor>, blob: Descriptor): void {
  const known = found.get(blob.digest);
  if (known !== undefined && known.size !== blob.size) {
    throw new CodedError(
      'IMAGE_MANIFEST',
      `the blob ${blob.digest} has two sizes in the manifests`,
    );
  }
  found.set(blob.digest, blob);
}
