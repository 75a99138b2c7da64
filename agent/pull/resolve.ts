// SPDX-License-Identifier: Apache-2.0
// From a digest to what must be unpacked: index → this platform's manifest → config → layers. Every document
// is checked against its digest, and taken from the store where it is there, so that an image once pulled
// resolves without a network.

import { type ImageConfig, parseConfig } from '../../images/oci/config.js';
import type { Descriptor } from '../../images/oci/descriptor.js';
import { badDocument, checkBytes, digestOf } from '../../images/oci/document.js';
import { imageLayers, type Manifest, parseManifest } from '../../images/oci/manifest.js';
import type { Compression } from '../../images/oci/media.js';
import { checkPlatform, type Platform, pickManifest } from '../../images/oci/platform.js';
import type { Reference } from '../../images/oci/reference.js';
import type { Registry } from '../../images/registry/client.js';
import type { Digest } from '../../protocol/name.js';
import type { Blobs } from '../store/types.js';

export interface WantedLayer {
  readonly diffId: Digest;
  readonly blob: Digest;
  readonly size: number;
  readonly compression: Compression;
}

export interface Resolved {
  readonly manifest: Digest;
  readonly configDigest: Digest;
  readonly config: ImageConfig;
  /** Lowest first; the same layer may stand twice. */
  readonly layers: readonly WantedLayer[];
  /** Documents and layers as a whole pull would fetch them. */
  readonly imageBytes: number;
}

export interface ResolveContext {
  readonly registry: Registry;
  readonly blobs: Blobs;
  readonly platform: Platform;
  readonly signal: AbortSignal;
}

/** `reference` carries the digest. @throws IMAGE_*, REGISTRY_* */
export async function resolveImage(
  context: ResolveContext,
  reference: Reference & { digest: Digest },
): Promise<Resolved> {
  const top = await manifestOf(context, reference, undefined);
  if (top.read.kind === 'manifest') return resolveManifest(context, reference, top.read, top, 0);
  const entry = pickManifest(top.read, context.platform);
  const found = await manifestOf(context, { ...reference, digest: entry.digest }, entry);
  if (found.read.kind === 'index') throw badDocument(`the manifest ${entry.digest} is an index`);
  return resolveManifest(context, reference, found.read, found, top.bytes.length);
}

interface Found {
  readonly digest: Digest;
  readonly bytes: Buffer;
  readonly read: ReturnType<typeof parseManifest>;
}

async function manifestOf(
  { registry, blobs, signal }: ResolveContext,
  reference: Reference & { digest: Digest },
  entry: Descriptor | undefined,
): Promise<Found> {
  const { digest } = reference;
  const kept = await keptBlob(blobs, digest);
  if (kept !== undefined)
    return { digest, bytes: kept, read: parseManifest(kept, entry?.mediaType) };
  const { bytes, mediaType } = await registry.manifest(reference, signal);
  if (entry !== undefined) checkBytes(bytes, entry, 'the manifest');
  const read = parseManifest(bytes, entry?.mediaType ?? mediaType);
  await blobs.write(digest, bytes);
  return { digest, bytes, read };
}

async function resolveManifest(
  context: ResolveContext,
  reference: Reference,
  manifest: Manifest,
  found: Found,
  indexBytes: number,
): Promise<Resolved> {
  const layers = imageLayers(manifest);
  const config = await configOf(context, reference, manifest.config);
  checkPlatform(config, context.platform);
  if (config.diffIds.length !== layers.length) {
    const counts = `${layers.length} layers, its config ${config.diffIds.length} diffIDs`;
    throw badDocument(`the manifest ${found.digest} has ${counts}`);
  }
  const layerBytes = layers.reduce((sum, { descriptor }) => sum + descriptor.size, 0);
  return {
    manifest: found.digest,
    configDigest: manifest.config.digest,
    config,
    layers: layers.map(({ descriptor, compression }, at) => ({
      diffId: config.diffIds[at] ?? descriptor.digest,
      blob: descriptor.digest,
      size: descriptor.size,
      compression,
    })),
    imageBytes: indexBytes + found.bytes.length + manifest.config.size + layerBytes,
  };
}

async function configOf(
  { registry, blobs, signal }: ResolveContext,
  reference: Reference,
  descriptor: Descriptor,
): Promise<ImageConfig> {
  const kept = await keptBlob(blobs, descriptor.digest);
  if (kept !== undefined) return parseConfig(kept);
  const bytes = await registry.smallBlob(reference, descriptor, signal);
  const config = parseConfig(bytes);
  await blobs.write(descriptor.digest, bytes);
  return config;
}

/** A blob that a disk has damaged counts as absent: it is fetched again and replaced. */
async function keptBlob(blobs: Blobs, digest: Digest): Promise<Buffer | undefined> {
  const bytes = await blobs.read(digest);
  return bytes !== undefined && digestOf(bytes) === digest ? bytes : undefined;
}
