// SPDX-License-Identifier: Apache-2.0
// Layers that are fetched at the same time, and the ones above that wait for them with their last step.

import type { Digest } from '../../protocol/name.js';
import type { Store } from '../store/types.js';
import type { WantedLayer } from './resolve.js';

export interface Fetching {
  readonly layer: WantedLayer;
  /** Resolves when the layer is committed; rejects when it will not be. */
  readonly done: Promise<void>;
  /** The first call counts. */
  finish(error?: unknown): void;
}

/** The folders of the layers below, topmost first, once they are there. */
export type Lowers = () => Promise<readonly string[]>;

export function fetching(layer: WantedLayer): Fetching {
  let finish: Fetching['finish'] = () => undefined;
  const done = new Promise<void>((resolve, reject) => {
    finish = (error) => (error === undefined ? resolve() : reject(error));
  });
  done.catch(() => undefined); // whoever waits for it has its error, and maybe nobody does
  return { layer, done, finish };
}

/** `layers`: of the whole image, lowest first. `all`: those of them that are fetched. */
export function lowersOf(
  store: Pick<Store, 'layers'>,
  { diffId }: WantedLayer,
  layers: ReadonlyArray<{ readonly diffId: Digest }>,
  all: readonly Fetching[],
): Lowers {
  const below = layers.slice(
    0,
    layers.findIndex((one) => one.diffId === diffId),
  );
  return async () => {
    const dirs: string[] = [];
    for (const lower of new Set(below.map((one) => one.diffId))) {
      await all.find(({ layer }) => layer.diffId === lower)?.done;
      const place = await store.layers.dirOf(lower);
      if (place !== undefined) dirs.unshift(place.dir);
    }
    return dirs;
  };
}
