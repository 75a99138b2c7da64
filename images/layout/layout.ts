// SPDX-License-Identifier: Apache-2.0
// An OCI image layout on disk (OCI image-spec image-layout.md): oci-layout, index.json, blobs/sha256. Names
// are the org.opencontainers.image.ref.name annotation of index.json. Other tools may read and write it too;
// among our own programs a lock file keeps changes of index.json apart.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder, readIfThere, writeDurable } from '../../adapters/durable.js';
import { CodedError } from '../../protocol/error.js';
import type { Digest } from '../../protocol/name.js';
import type { Descriptor } from '../oci/descriptor.js';
import { readDocument } from '../oci/document.js';
import { type Index, parseManifest } from '../oci/manifest.js';
import { isIndexType, isManifestType, mediaTypes } from '../oci/media.js';
import { type LayoutBlobs, layoutBlobs } from './blobs.js';
import { layoutError } from './failure.js';
import { withLock } from './lock.js';

export const nameAnnotation = 'org.opencontainers.image.ref.name';

export interface Layout {
  readonly dir: string;
  readonly blobs: LayoutBlobs;
  /** Every entry of index.json, named or not. @throws IMAGE_LAYOUT, IMAGE_MANIFEST */
  entries(): Promise<readonly Descriptor[]>;
  /** The entry of a name or digest; without one, the only entry. @throws IMAGE_UNKNOWN */
  find(name: string | undefined): Promise<Descriptor>;
  /** Gives a manifest or index a name; one that had the name loses it. */
  tag(name: string, entry: Descriptor): Promise<void>;
  /** Takes the name away. @throws IMAGE_UNKNOWN */
  untag(name: string): Promise<void>;
  /** Removes blobs that no entry reaches; gives their bytes. */
  prune(): Promise<number>;
}

export function entryName(entry: Descriptor): string | undefined {
  return entry.annotations?.[nameAnnotation];
}

/** `create`: make the folder and its files where they are not there. @throws IMAGE_LAYOUT */
export async function openLayout(dir: string, options: { create?: boolean } = {}): Promise<Layout> {
  if (options.create === true) await locked(dir, async () => makeLayout(dir));
  await checkLayout(dir);
  const blobs = layoutBlobs(dir);
  const entries = async (): Promise<readonly Descriptor[]> => (await readIndex(dir)).manifests;
  const change = async (edit: (all: readonly Descriptor[]) => readonly Descriptor[]) =>
    locked(dir, async () => {
      const index = await readIndex(dir);
      await writeIndex(dir, { ...index, manifests: edit(index.manifests) });
    });

  return {
    dir,
    blobs,
    entries,
    find: async (name) => findEntry(await entries(), name, dir),
    tag: async (name, entry) =>
      change((all) => [
        ...all.filter((other) => entryName(other) !== name && !isUnnamed(other, entry.digest)),
        { ...entry, annotations: { ...entry.annotations, [nameAnnotation]: name } },
      ]),
    untag: async (name) =>
      change((all) => {
        const { digest } = findEntry(all, name, dir);
        return all.filter((entry) => entryName(entry) !== name && !isUnnamed(entry, digest));
      }),
    prune: async () => locked(dir, async () => prune(await entries(), blobs)),
  };
}

/** Changes of index.json, one at a time. @throws IMAGE_LAYOUT, NO_SPACE */
async function locked<T>(dir: string, work: () => Promise<T>): Promise<T> {
  try {
    await makeFolder(join(dir, 'blobs', 'sha256'));
    return await withLock(join(dir, '.index.lock'), work);
  } catch (error) {
    throw layoutError(error, dir);
  }
}

async function makeLayout(dir: string): Promise<void> {
  if ((await readIfThere(join(dir, 'oci-layout'))) === undefined) {
    await writeDurable(join(dir, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  }
  if ((await readIfThere(join(dir, 'index.json'))) !== undefined) return;
  const empty = { kind: 'index', mediaType: mediaTypes.index, manifests: [], annotations: {} };
  await writeIndex(dir, empty as Index);
}

async function checkLayout(dir: string): Promise<void> {
  let bytes: Buffer;
  try {
    bytes = await readFile(join(dir, 'oci-layout'));
  } catch (error) {
    throw new CodedError(
      'IMAGE_LAYOUT',
      `${dir} has no oci-layout file`,
      { dir },
      { cause: error },
    );
  }
  const { imageLayoutVersion: version } = readDocument(bytes, `${dir}/oci-layout`);
  if (version === '1.0.0') return;
  throw new CodedError('IMAGE_LAYOUT', `${dir}/oci-layout: the version must be 1.0.0`, { dir });
}

async function readIndex(dir: string): Promise<Index> {
  const bytes = await readIfThere(join(dir, 'index.json'));
  if (bytes === undefined)
    throw new CodedError('IMAGE_LAYOUT', `${dir} has no index.json`, { dir });
  const index = parseManifest(bytes, mediaTypes.index);
  if (index.kind === 'index') return index;
  throw new CodedError('IMAGE_LAYOUT', `${dir}/index.json is not an index`, { dir });
}

async function writeIndex(dir: string, index: Index): Promise<void> {
  const { mediaType, manifests, annotations } = index;
  const hasNotes = Object.keys(annotations).length > 0;
  const value = { schemaVersion: 2, mediaType, manifests, ...(hasNotes ? { annotations } : {}) };
  await writeDurable(join(dir, 'index.json'), JSON.stringify(value));
}

function isUnnamed(entry: Descriptor, digest: Digest): boolean {
  return entry.digest === digest && entryName(entry) === undefined;
}

function findEntry(all: readonly Descriptor[], name: string | undefined, dir: string): Descriptor {
  const only = all.length === 1 ? all[0] : undefined;
  const found =
    name === undefined
      ? only
      : (all.find((entry) => entryName(entry) === name) ??
        all.find((entry) => entry.digest === name));
  if (found !== undefined) return found;
  const names = all.slice(0, 16).map((entry) => entryName(entry) ?? entry.digest);
  const wanted = name === undefined ? 'more or less than one image; name one' : `no image ${name}`;
  const there = names.length === 0 ? 'nothing' : names.join(', ');
  throw new CodedError('IMAGE_UNKNOWN', `the layout ${dir} has ${wanted}; it has ${there}`, {
    dir,
  });
}

/** Bound on documents looked at: indexes, manifests and nested indexes together. */
const reachedMax = 100_000;

async function prune(entries: readonly Descriptor[], blobs: LayoutBlobs): Promise<number> {
  const reached = await reach(entries, blobs);
  let freed = 0;
  for (const blob of await blobs.list()) {
    if (reached.has(blob.digest)) continue;
    await blobs.remove(blob.digest);
    freed += blob.size;
  }
  return freed;
}

async function reach(entries: readonly Descriptor[], blobs: LayoutBlobs): Promise<Set<Digest>> {
  const reached = new Set<Digest>();
  const open: Descriptor[] = [...entries];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (reached.has(next.digest)) continue;
    reached.add(next.digest);
    if (reached.size > reachedMax) throw new CodedError('IMAGE_LIMIT', 'the layout is too large');
    open.push(...(await below(next, blobs)));
  }
  return reached;
}

/** What a manifest or index points at; nothing for one that is not here: an index with some platforms only. */
async function below(entry: Descriptor, blobs: LayoutBlobs): Promise<readonly Descriptor[]> {
  if (!isIndexType(entry.mediaType) && !isManifestType(entry.mediaType)) return [];
  if ((await blobs.sizeOf(entry.digest)) === undefined) return [];
  const read = parseManifest(await blobs.read(entry.digest), entry.mediaType);
  return read.kind === 'index' ? read.manifests : [read.config, ...read.layers];
}
