// SPDX-License-Identifier: Apache-2.0
// Makes an image from folders: one layer each, lowest first, so that images over the same base folder share
// its layer. The same folders and settings give the same digests; times and owners are set, not read.

import { packLayer } from '../layer/pack.js';
import type { Layout } from '../layout/layout.js';
import type { Descriptor } from '../oci/descriptor.js';
import type { Compression } from '../oci/media.js';
import type { Platform } from '../oci/platform.js';
import { type BuiltLayer, type RunDefaults, writeConfig, writeManifest } from '../oci/write.js';

export interface BuildOptions {
  readonly layout: Layout;
  /** The name in the layout. */
  readonly name: string;
  /** Lowest first. */
  readonly dirs: readonly string[];
  readonly compression: Compression;
  readonly level?: number;
  readonly platform: Platform;
  /** Of the image and of every file in it; ms since 1970. */
  readonly createdAt: number;
  readonly run: RunDefaults;
  readonly signal?: AbortSignal;
  readonly onLayer?: (done: number, total: number, dir: string) => void;
}

export interface Built {
  readonly manifest: Descriptor;
  readonly config: Descriptor;
  readonly layers: readonly BuiltLayer[];
  readonly sizeBytes: number;
}

/** @throws LAYER_*, NO_SPACE */
export async function buildImage(options: BuildOptions): Promise<Built> {
  const { layout, dirs } = options;
  const layers: BuiltLayer[] = [];
  for (const [at, dir] of dirs.entries()) {
    options.onLayer?.(at, dirs.length, dir);
    layers.push(await buildLayer(options, dir));
  }
  options.onLayer?.(dirs.length, dirs.length, '');
  const created = new Date(options.createdAt).toISOString().replace('.000Z', 'Z');
  const { platform, run } = options;
  const config = writeConfig({ platform, created, run, layers });
  const manifest = writeManifest(config.descriptor, layers);
  await layout.blobs.write(config.bytes);
  await layout.blobs.write(manifest.bytes);
  await layout.tag(options.name, { ...manifest.descriptor, platform });
  const sizeBytes = layers.reduce((sum, { size }) => sum + size, config.descriptor.size);
  return { manifest: manifest.descriptor, config: config.descriptor, layers, sizeBytes };
}

async function buildLayer(options: BuildOptions, dir: string): Promise<BuiltLayer> {
  const { compression, level, signal } = options;
  const staged = options.layout.blobs.stage();
  try {
    const { digest, size, diffId } = await packLayer({
      dir,
      compression,
      mtime: Math.floor(options.createdAt / 1000),
      owner: 'root',
      out: staged.path,
      ...(level === undefined ? {} : { level }),
      ...(signal === undefined ? {} : { signal }),
    });
    await staged.commit(digest);
    return { digest, size, diffId, compression };
  } catch (error) {
    await staged.discard();
    throw error;
  }
}
