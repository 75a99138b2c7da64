// SPDX-License-Identifier: Apache-2.0
// A device that only pulls: the real store in a temp folder, and images made of real folders by wherry-layer.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { systemClock } from '../../adapters/clock.js';
import { openLog } from '../../adapters/log.js';
import { placesOf } from '../../adapters/places.js';
import { openPull, type PullOptions } from '../../agent/pull/pull.js';
import type { Pull } from '../../agent/pull/types.js';
import { openStore } from '../../agent/store/open.js';
import type { Store } from '../../agent/store/types.js';
import { buildImage } from '../../images/cli/build.js';
import { type Layout, openLayout } from '../../images/layout/layout.js';
import type { Compression } from '../../images/oci/media.js';
import { hostPlatform, type Platform } from '../../images/oci/platform.js';
import type { Digest } from '../../protocol/name.js';
import { tempFolder } from './images-certs.js';
import type { TestBlob } from './images-server.js';

export interface TestDevice {
  readonly store: Store;
  readonly pull: Pull;
}

export async function aDevice(
  t: ExecutionContext,
  changed: Partial<PullOptions> = {},
): Promise<TestDevice> {
  const log = openLog('test', 'silent');
  const { store } = await openStore(placesOf(tempFolder(t)), log);
  t.teardown(async () => store.close());
  const pull = openPull({
    store,
    log,
    clock: systemClock,
    platform: hostPlatform(),
    certDirs: [],
    registry: {
      connectTimeoutMs: 2000,
      idleTimeoutMs: 10_000,
      retry: { firstMs: 5, stepMsMax: 20 },
    },
    ...changed,
  });
  return { store, pull };
}

/** A device whose disk has so many bytes beyond the reserve, less what the layers so far take. */
export async function aSmallDevice(
  t: ExecutionContext,
  bytes: number,
  options: Parameters<typeof aDevice>[1] = {},
): Promise<TestDevice> {
  const { store } = await aDevice(t);
  const layers: typeof store.layers = {
    ...store.layers,
    stage: async (diffId) => {
      const staged = await store.layers.stage(diffId);
      const commit: typeof staged.commit = async (facts) => {
        taken += facts.unpackedBytes;
        return staged.commit(facts);
      };
      return { ...staged, commit };
    },
  };
  let taken = 0;
  const freeBytes = async (): Promise<number> => 8 * 1024 * 1024 + bytes - taken;
  return aDevice(t, { store: { ...store, layers, freeBytes }, ...options });
}

export interface TestImage {
  readonly digest: Digest;
  readonly layers: ReadonlyArray<{ digest: Digest; diffId: Digest; size: number }>;
  /** Everything of its layout, to be served. */
  readonly blobs: readonly TestBlob[];
}

/** Each layer: path → content. */
export async function anImage(
  t: ExecutionContext,
  layers: ReadonlyArray<Readonly<Record<string, string | Buffer>>>,
  options: { compression?: Compression; platform?: Platform } = {},
): Promise<TestImage> {
  const dir = tempFolder(t);
  const dirs = layers.map((files, at) => {
    const folder = join(dir, `layer${at}`);
    mkdirSync(folder);
    for (const [path, content] of Object.entries(files)) writeFileSync(join(folder, path), content);
    return folder;
  });
  const layout = await openLayout(join(dir, 'layout'), { create: true });
  const built = await buildImage({
    layout,
    name: 'v1',
    dirs,
    compression: options.compression ?? 'zstd',
    platform: options.platform ?? hostPlatform(),
    createdAt: 0,
    run: { cmd: ['/web'] },
  });
  return { digest: built.manifest.digest, layers: built.layers, blobs: await blobsOf(layout) };
}

async function blobsOf(layout: Layout): Promise<TestBlob[]> {
  const blobs: TestBlob[] = [];
  for (const blob of await layout.blobs.list()) {
    const chunks: Buffer[] = [];
    for await (const chunk of layout.blobs.stream(blob)) chunks.push(chunk);
    blobs.push({ ...blob, bytes: Buffer.concat(chunks) });
  }
  return blobs;
}
