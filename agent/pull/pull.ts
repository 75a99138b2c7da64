// SPDX-License-Identifier: Apache-2.0
// Pulls images: resolves, fetches the layers that the store lacks straight into wherry-layer, and records the
// image. One image at a time and at most layersAtOnce layers of it; no layer passes through memory whole.
// INVARIANT: an image is recorded only once all its layers are committed, and a layer is committed only once
// its bytes have the digest and the diffID that were asked for.

import { rm, stat } from 'node:fs/promises';
import { constants, totalmem } from 'node:os';
import type { Clock } from '../../adapters/clock.js';
import { errorFacts, type Log } from '../../adapters/log.js';
import { lean } from '../../adapters/young.js';
import { adoptParents } from '../../images/layer/parents.js';
import { unpackLayer } from '../../images/layer/unpack.js';
import type { Platform } from '../../images/oci/platform.js';
import { parseReference, type Reference } from '../../images/oci/reference.js';
import { openRegistry, type Registry, type RegistryOptions } from '../../images/registry/client.js';
import { CodedError, codeOf } from '../../protocol/error.js';
import type { Digest } from '../../protocol/name.js';
import type { StagedLayer, Store } from '../store/types.js';
import { type Fetching, fetching, type Lowers, lowersOf } from './lowers.js';
import { type Resolved, resolveImage, type WantedLayer } from './resolve.js';
import { checkSpace, noSpace, type Room, roomOf, watchSpace } from './space.js';
import type { Pull, PulledImage, PullProgress } from './types.js';
import { windowLogOf } from './window.js';

/** What of the store a pull needs. */
export type PullStore = Pick<Store, 'blobs' | 'layers' | 'images' | 'freeBytes'>;

export interface PullOptions {
  readonly store: PullStore;
  readonly log: Log;
  readonly clock: Clock;
  readonly platform: Platform;
  /** Folders with certificates by registry host, first wins. */
  readonly certDirs: readonly string[];
  readonly registry?: Omit<RegistryOptions, 'certDirs' | 'clock'>;
  /** Of the device; absent = what the kernel says. */
  readonly memoryBytes?: number;
}

/** Two keep the link busy while one ends; more would time each other out on a slow one. */
const layersAtOnce = 2;
interface Job {
  readonly options: PullOptions;
  readonly registry: Registry;
  readonly reference: Reference & { digest: Digest };
  readonly signal: AbortSignal;
  readonly onProgress: (progress: PullProgress) => void;
}

export function openPull(options: PullOptions): Pull {
  let last: Promise<unknown> = Promise.resolve();
  return {
    image: async (wanted, { signal, onProgress }) => {
      const before = last;
      const mine = (async () => {
        await before.catch(() => undefined); // its own caller has its error
        signal?.throwIfAborted();
        const registry = openRegistry({
          ...options.registry,
          certDirs: options.certDirs,
          clock: options.clock,
        });
        const own = new AbortController();
        const both = AbortSignal.any([own.signal, ...(signal === undefined ? [] : [signal])]);
        try {
          return await pullImage(
            {
              options,
              registry,
              reference: { ...parseReference(wanted.reference), digest: wanted.digest },
              signal: both,
              onProgress: onProgress ?? (() => undefined),
            },
            own,
            wanted.reference,
          );
        } finally {
          registry.close();
        }
      })();
      last = mine;
      return mine;
    },
  };
}

async function pullImage(job: Job, own: AbortController, reference: string): Promise<PulledImage> {
  const { store, platform, clock, log } = job.options;
  const { registry, signal } = job;
  const { digest } = job.reference;
  const resolved = await resolveImage(
    { registry, blobs: store.blobs, platform, signal },
    job.reference,
  );
  const lacking = await lackingLayers(store, resolved);
  await checkSpace(store.freeBytes, lacking);
  await fetchLayers(job, resolved, lacking, own);
  const layers = await placesOf(store, resolved);
  const unpackedBytes = layers.reduce((sum, layer) => sum + layer.unpackedBytes, 0);
  await store.images.put({
    digest,
    reference,
    manifest: resolved.manifest,
    config: resolved.configDigest,
    diffIds: resolved.config.diffIds,
    unpackedBytes,
    usedAt: clock.now(),
  });
  const bytesFetched = registry.bytesReceived();
  log.info(
    {
      digest,
      reference,
      layersFetched: lacking.length,
      bytesFetched,
      imageBytes: resolved.imageBytes,
    },
    'image pulled',
  );
  const { manifest, config, imageBytes } = resolved;
  return { digest, reference, manifest, config, layers, bytesFetched, imageBytes };
}

/** Each layer once, however often the image has it. */
async function lackingLayers(store: PullStore, { layers }: Resolved): Promise<WantedLayer[]> {
  const lacking = new Map<Digest, WantedLayer>();
  for (const layer of layers) {
    if ((await store.layers.dirOf(layer.diffId)) === undefined) lacking.set(layer.diffId, layer);
  }
  return [...lacking.values()];
}

async function placesOf(
  store: PullStore,
  { layers }: Resolved,
): Promise<Array<PulledImage['layers'][number]>> {
  const places: Array<PulledImage['layers'][number]> = [];
  for (const { diffId } of layers) {
    const place = await store.layers.dirOf(diffId);
    if (place === undefined) {
      throw new CodedError('STORE_CORRUPT', `the store lost the layer ${diffId}`, { diffId });
    }
    places.push({ diffId, ...place });
  }
  return places;
}

async function fetchLayers(
  job: Job,
  { layers }: Resolved,
  lacking: readonly WantedLayer[],
  own: AbortController,
): Promise<void> {
  const bytesTotal = lacking.reduce((sum, { size }) => sum + size, 0);
  const image = job.reference.digest;
  let bytesDone = 0;
  const moved = (bytes: number): void => {
    bytesDone += bytes;
    job.onProgress({ image, bytesDone, bytesTotal });
  };
  job.onProgress({ image, bytesDone, bytesTotal });
  const { store, clock } = job.options;
  const room = roomOf(store.freeBytes, layersAtOnce);
  const all = lacking.map(fetching);
  const queue = [...all];
  /** Larger than their share: they have all the room once the others are done. */
  const large: Fetching[] = [];
  /** Last steps that wait for a layer below: they hold no worker, since that one may be a large one. */
  const ends: Array<Promise<void>> = [];
  const failures: unknown[] = [];
  const fail = (error: unknown): void => {
    failures.push(error);
    queue.length = 0;
    own.abort(error); // the other layers would only load the link
    for (const one of all) one.finish(error);
  };
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      try {
        const share = { room, waiting: queue.length, moved };
        const end = await fetchWithin(job, next.layer, share);
        if (end === undefined) large.push(next);
        else ends.push(end(lowersOf(store, next.layer, layers, all)).then(next.finish, fail));
      } catch (error) {
        fail(error);
      }
    }
  };
  const done = new AbortController();
  const stop = (reason: unknown): void => own.abort(reason);
  const watch = watchSpace(store.freeBytes, clock, stop, done.signal).catch(stop);
  await Promise.all(Array.from({ length: layersAtOnce }, worker));
  if (failures.length === 0) queue.push(...large.splice(0));
  await worker();
  if (failures.length === 0 && large[0] !== undefined) {
    const what = `unpacks to more, with its layer ${large[0].layer.blob}`;
    fail(noSpace(what, await store.freeBytes()));
  }
  await Promise.all(ends);
  done.abort();
  await watch;
  if (failures.length > 0) throw failures[0];
}

interface Share {
  readonly room: Room;
  /** Layers that are not begun. */
  readonly waiting: number;
  readonly moved: (bytes: number) => void;
}

/** The last step of a layer that is unpacked: folders as those below have them, then it is committed. */
type End = (lowers: Lowers) => Promise<void>;

/** Undefined where the layer unpacks to more bytes than there is room for. */
async function fetchWithin(job: Job, layer: WantedLayer, share: Share): Promise<End | undefined> {
  const bytesMax = await share.room.grant(share.waiting);
  let fetched = 0;
  const moved = (bytes: number): void => {
    fetched += bytes;
    share.moved(bytes);
  };
  try {
    return bytesMax > 0 ? await fetchLayer(job, layer, { bytesMax, moved }) : undefined;
  } catch (error) {
    if (!isTooLarge(error)) throw error;
    share.moved(-fetched);
    return undefined;
  } finally {
    share.room.giveBack(bytesMax);
  }
}

/** wherry-layer's word for more bytes than --unpacked-max; its other bounds have no errno. */
function isTooLarge(error: unknown): boolean {
  if (!(error instanceof CodedError) || error.code !== 'LAYER_LIMIT') return false;
  return error.facts['errno'] === constants.errno.EFBIG;
}

interface Bound {
  /** Unpacked. */
  readonly bytesMax: number;
  readonly moved: (bytes: number) => void;
}

/** A mirror that gives wrong bytes must not keep the image away: they are asked for once more, at the registry itself. */
async function fetchLayer(job: Job, layer: WantedLayer, bound: Bound): Promise<End> {
  try {
    return await fetchFrom(job, layer, { ...bound, direct: false });
  } catch (error) {
    const isWrong = /^(LAYER_(DIGEST|STREAM|TAR)|IMAGE_DIGEST)$/.test(codeOf(error));
    if (!isWrong || !job.registry.isMirrored(job.reference)) throw error;
    job.options.log.warn({ blob: layer.blob, ...errorFacts(error) }, 'a mirror gave wrong bytes');
    return await fetchFrom(job, layer, { ...bound, direct: true });
  }
}

async function fetchFrom(
  { options, registry, reference, signal }: Job,
  layer: WantedLayer,
  { bytesMax, moved, direct }: Bound & { direct: boolean },
): Promise<End> {
  const staged = await options.store.layers.stage(layer.diffId);
  const implied = `${staged.headers}.implied`;
  try {
    const { unpackedBytes } = await unpackLayer({
      source: counted(
        registry.blob(reference, { digest: layer.blob, size: layer.size }, { signal, direct }),
        moved,
      ),
      diffId: layer.diffId,
      blob: layer.blob,
      size: layer.size,
      dir: staged.dir,
      headers: staged.headers,
      implied,
      unpackedBytesMax: bytesMax,
      windowLogMax: windowLogOf(options.memoryBytes ?? totalmem()),
      signal,
    });
    const finish: End = async (lowers) => {
      if ((await stat(implied)).size > 0) {
        await adoptParents({ dir: staged.dir, list: implied, lowers: await lowers(), signal });
      }
      await rm(implied);
      await staged.commit({ unpackedBytes });
    };
    return (lowers) => orDiscard(staged, () => finish(lowers));
  } catch (error) {
    await staged.discard();
    throw error;
  }
}

async function orDiscard(staged: StagedLayer, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    await staged.discard();
    throw error;
  }
}

async function* counted(
  source: AsyncIterable<Buffer>,
  moved: (bytes: number) => void,
): AsyncGenerator<Buffer> {
  for await (const chunk of lean(source)) {
    moved(chunk.length);
    yield chunk;
  }
}
