// SPDX-License-Identifier: Apache-2.0
// A real store in a temp folder, and what is needed to fill it.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { openLog } from '../../adapters/log.js';
import { type Places, placesOf } from '../../adapters/places.js';
import { openStore } from '../../agent/store/open.js';
import type { Store } from '../../agent/store/types.js';
import type { Digest } from '../../protocol/name.js';
import { digestFor } from './agent-docs.js';

export const quiet = openLog('test', 'silent');

export async function aRoot(t: ExecutionContext): Promise<Places> {
  const root = await mkdtemp(join(tmpdir(), 'wherry-agent-'));
  t.teardown(() => rm(root, { recursive: true, force: true }));
  return placesOf(root);
}

export async function aStore(
  t: ExecutionContext,
  given: { places?: Places; bootId?: string } = {},
): Promise<{ store: Store; places: Places; recovered: boolean }> {
  const places = given.places ?? (await aRoot(t));
  const { store, recovered } = await openStore(places, quiet, { bootId: given.bootId ?? 'boot-1' });
  let isOpen = true;
  const close = store.close.bind(store);
  const once: Store = {
    ...store,
    close: async () => {
      if (isOpen) await close();
      isOpen = false;
    },
  };
  t.teardown(() => once.close());
  return { store: once, places, recovered };
}

/** An image whose layers hold one file each. */
export async function putImage(
  store: Store,
  name: string,
  layers: readonly string[] = [`${name}-layer`],
): Promise<Digest> {
  const diffIds = layers.map(digestFor);
  for (const diffId of diffIds) {
    if ((await store.layers.dirOf(diffId)) !== undefined) continue;
    const staged = await store.layers.stage(diffId);
    await writeFile(join(staged.dir, 'file'), diffId);
    await writeFile(staged.headers, 'headers');
    await staged.commit({ unpackedBytes: 100 });
  }
  const config = digestFor(`${name} config`);
  await store.blobs.write(config, Buffer.from(`${name} config`));
  const digest = digestFor(name);
  await store.images.put({
    digest,
    reference: `registry.test/${name}`,
    manifest: digest,
    config,
    diffIds,
    unpackedBytes: 100 * layers.length,
    usedAt: 1,
  });
  return digest;
}
