// SPDX-License-Identifier: Apache-2.0
// Images and bundles: pull, prune, create, remove. Each may be done again: what is there is not made twice,
// what is gone is not missed.

import { CodedError } from '../../protocol/error.js';
import { sharedOf } from '../run/shared.js';
import type { Executor } from './context.js';

export const pullImage: Executor<'pull'> = async (step, context) => {
  const { store, pull, clock, signal, onProgress } = context;
  const { image: digest, reference } = step;
  if ((await store.images.get(digest)) !== undefined) return;
  const release = (await store.desired.assignment())?.assignment.release?.digest ?? null;
  const isRetry = (await store.journal.backoffs()).some(({ subject }) => subject === digest);
  if (!isRetry) {
    await store.outbox.put(await context.eventOf({ type: 'pulling', release, message: reference }));
  }
  const beganAtMs = clock.monotonicMs();
  const { bytesFetched, imageBytes } = await pull.image(
    { reference, digest },
    { signal, onProgress },
  );
  const durationMs = Math.round(clock.monotonicMs() - beganAtMs);
  const counts = { bytesFetched, imageBytes, durationMs };
  await store.outbox.put(
    await context.eventOf({ type: 'pulled', release, message: reference, counts }),
  );
};

export const pruneImage: Executor<'prune'> = async ({ image }, { store }) => {
  await store.images.remove(image);
};

export const createContainer: Executor<'create'> = async (step, context) => {
  const { store, run, clock } = context;
  const { container: id, workload, spec, release } = step;
  const image = await store.images.get(workload.image.digest);
  if (image === undefined) throw lacking(id, `image ${workload.image.digest}`);
  const layers: string[] = [];
  for (const diffId of image.diffIds) {
    const layer = await store.layers.dirOf(diffId);
    if (layer === undefined) {
      await store.images.remove(image.digest); // it is pulled again, and only what it lacks
      throw lacking(id, `layer ${diffId}`);
    }
    layers.push(layer.dir);
  }
  const config = await context.configOf(image);
  await store.images.put({ ...image, usedAt: clock.now() });
  const held = (await store.desired.releases()).find(({ digest }) => digest === release);
  const shared = held === undefined ? {} : { shared: sharedOf(held.release, workload) };
  await run.create({ id, spec, release, workload, image: image.digest, config, layers, ...shared });
};

function lacking(container: string, what: string): CodedError {
  return new CodedError(
    'STORE_CORRUPT',
    `container ${container}: the ${what} is not in the store`,
    {
      container,
    },
  );
}

export const removeContainer: Executor<'remove'> = async ({ container }, { run }) => {
  await run.remove(container);
};
