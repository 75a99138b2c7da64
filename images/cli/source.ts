// SPDX-License-Identifier: Apache-2.0
// The two ends that images are copied between, alike for layouts and registries. An end checks what it reads:
// documents whole, blobs at their end.

import { CodedError } from '../../protocol/error.js';
import type { Digest } from '../../protocol/name.js';
import { openLayout } from '../layout/layout.js';
import type { Descriptor } from '../oci/descriptor.js';
import { type BlobWanted, verified } from '../registry/blob.js';
import type { Registry } from '../registry/client.js';
import type { FetchedManifest } from '../registry/manifest.js';
import type { Place } from './place.js';

export interface Source {
  /** What the place names. */
  top(): Promise<FetchedManifest>;
  manifest(entry: Descriptor): Promise<FetchedManifest>;
  config(blob: BlobWanted): Promise<Buffer>;
  /** Checked at its end where it is read whole. */
  read(blob: BlobWanted, from: number, to: number): AsyncIterable<Uint8Array>;
  /** Its repository where it is a registry: for mounts. */
  readonly repository?: { readonly host: string; readonly name: string };
}

export interface Target {
  /** `moved`: bytes of this blob so far. True where it was there already. */
  putBlob(blob: BlobWanted, source: Source, moved: (bytes: number) => void): Promise<boolean>;
  putManifest(manifest: FetchedManifest): Promise<void>;
  /** Gives the top manifest its name; the last step. */
  name(manifest: FetchedManifest): Promise<void>;
}

/** @throws IMAGE_*, REGISTRY_* */
export async function openSource(
  place: Place,
  registry: Registry,
  signal: AbortSignal,
): Promise<Source> {
  if (place.kind === 'registry') return registrySource(place.reference, registry, signal);
  const { blobs, find } = await openLayout(place.dir);
  const manifest = async (entry: Descriptor): Promise<FetchedManifest> => ({
    digest: entry.digest,
    mediaType: entry.mediaType,
    bytes: await blobs.read(entry.digest),
  });
  return {
    top: async () => manifest(await find(place.name)),
    manifest,
    config: async ({ digest }) => blobs.read(digest),
    read: (blob, from, to) => blobs.stream(blob, from, to),
  };
}

function registrySource(
  reference: Extract<Place, { kind: 'registry' }>['reference'],
  registry: Registry,
  signal: AbortSignal,
): Source {
  return {
    repository: { host: reference.host, name: reference.repository },
    top: async () => registry.manifest(reference, signal),
    manifest: async ({ digest }) => registry.manifest({ ...reference, digest }, signal),
    config: async (blob) => registry.smallBlob(reference, blob, signal),
    read: (blob, from, to) => {
      const stream = registry.blob(reference, blob, { from, signal });
      return from === 0 && to === blob.size ? verified(blob, stream) : first(stream, to - from);
    },
  };
}

async function* first(source: AsyncIterable<Buffer>, count: number): AsyncGenerator<Buffer> {
  let left = count;
  for await (const chunk of source) {
    yield chunk.subarray(0, left);
    left -= chunk.length;
    if (left <= 0) return;
  }
}

/** @throws IMAGE_LAYOUT, USAGE where a layout is given without a name */
export async function openTarget(
  place: Place,
  registry: Registry,
  signal: AbortSignal,
): Promise<Target> {
  return place.kind === 'registry'
    ? registryTarget(place.reference, registry, signal)
    : layoutTarget(place);
}

async function layoutTarget(place: Extract<Place, { kind: 'layout' }>): Promise<Target> {
  const { name } = place;
  if (name === undefined)
    throw new CodedError('USAGE', `oci:${place.dir} needs a name: oci:DIR:NAME`);
  const layout = await openLayout(place.dir, { create: true });
  return {
    putBlob: async (blob, source, moved) => {
      if ((await layout.blobs.sizeOf(blob.digest)) === blob.size) return true;
      await layout.blobs.writeFrom(blob, counted(source.read(blob, 0, blob.size), moved));
      return false;
    },
    putManifest: async ({ bytes }) => {
      await layout.blobs.write(bytes);
    },
    name: async ({ digest, mediaType, bytes }) =>
      layout.tag(name, { mediaType, digest, size: bytes.length }),
  };
}

function registryTarget(
  reference: Extract<Place, { kind: 'registry' }>['reference'],
  registry: Registry,
  signal: AbortSignal,
): Target {
  return {
    putBlob: async (blob, source, moved) => {
      const from = source.repository;
      const mountFrom = from?.host === reference.host ? from.name : undefined;
      const outcome = await registry.pushBlob(
        reference,
        { ...blob, read: (start, end) => source.read(blob, start, end) },
        { onProgress: moved, signal, ...(mountFrom === undefined ? {} : { mountFrom }) },
      );
      return outcome !== 'sent';
    },
    putManifest: async (manifest) =>
      registry.pushManifest(byDigest(reference, manifest.digest), manifest, signal),
    name: async (manifest) => registry.pushManifest(reference, manifest, signal),
  };
}

function byDigest(
  { host, repository }: { host: string; repository: string },
  digest: Digest,
): { host: string; repository: string; digest: Digest } {
  return { host, repository, digest };
}

async function* counted(
  source: AsyncIterable<Uint8Array>,
  moved: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of source) {
    yield chunk;
    bytes += chunk.length;
    moved(bytes);
  }
}
