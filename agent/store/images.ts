// SPDX-License-Identifier: Apache-2.0
// Images as the device holds them. Layers and blobs are shared: they go with the last image that holds them.

import type { Db, Tx } from '../../adapters/sqlite.js';
import { CodedError } from '../../protocol/error.js';
import type { Digest } from '../../protocol/name.js';
import type { RemovableBlobs } from './blobs.js';
import type { SweptLayers } from './layers.js';
import type { Images, StoredImage } from './types.js';

interface ImageRow {
  digest: Digest;
  reference: string;
  manifest: Digest;
  config: Digest;
  unpacked_bytes: number;
  used_at: number;
}

export interface CheckedImages extends Images {
  /** Forgets images that miss a layer; they are pulled again where they are needed. */
  check(): Promise<Digest[]>;
}

export function imagesIn(db: Db, layers: SweptLayers, blobs: RemovableBlobs): CheckedImages {
  const images: CheckedImages = {
    put: (image) => db.transaction((tx) => put(tx, image)),
    get: async (digest) => {
      const row = await db.get<ImageRow>('SELECT * FROM images WHERE digest = ?', [digest]);
      return row === undefined ? undefined : imageOf(db, row);
    },
    list: async () => {
      const rows = await db.all<ImageRow>('SELECT * FROM images ORDER BY used_at, digest');
      return Promise.all(rows.map((row) => imageOf(db, row)));
    },
    remove: async (digest) => {
      const image = await images.get(digest);
      if (image === undefined) return;
      await db.run('DELETE FROM images WHERE digest = ?', [digest]);
      await layers.sweep(image.diffIds);
      for (const blob of new Set([image.digest, image.manifest, image.config])) {
        if (!(await isHeld(db, blob))) await blobs.remove(blob);
      }
    },
    check: async () => {
      const torn = await db.all<{ digest: Digest }>(
        `SELECT DISTINCT image AS digest FROM image_layers
         WHERE diff_id NOT IN (SELECT diff_id FROM layers)`,
      );
      for (const { digest } of torn) {
        await db.run('DELETE FROM images WHERE digest = ?', [digest]);
      }
      return torn.map(({ digest }) => digest);
    },
  };
  return images;
}

async function put(tx: Tx, image: StoredImage): Promise<void> {
  for (const diffId of new Set(image.diffIds)) {
    const row = await tx.get('SELECT 1 FROM layers WHERE diff_id = ?', [diffId]);
    if (row === undefined) {
      throw new CodedError('STORE_CORRUPT', `image ${image.digest} lacks the layer ${diffId}`, {
        image: image.digest,
        diffId,
      });
    }
  }
  const { digest, reference, manifest, config, unpackedBytes, usedAt } = image;
  await tx.run('DELETE FROM images WHERE digest = ?', [digest]);
  await tx.run('INSERT INTO images VALUES (?, ?, ?, ?, ?, ?)', [
    digest,
    reference,
    manifest,
    config,
    unpackedBytes,
    usedAt,
  ]);
  for (const [place, diffId] of image.diffIds.entries()) {
    await tx.run('INSERT INTO image_layers VALUES (?, ?, ?)', [digest, place, diffId]);
  }
}

async function imageOf(db: Db, row: ImageRow): Promise<StoredImage> {
  const layers = await db.all<{ diff_id: Digest }>(
    'SELECT diff_id FROM image_layers WHERE image = ? ORDER BY place',
    [row.digest],
  );
  return {
    digest: row.digest,
    reference: row.reference,
    manifest: row.manifest,
    config: row.config,
    diffIds: layers.map(({ diff_id }) => diff_id),
    unpackedBytes: row.unpacked_bytes,
    usedAt: row.used_at,
  };
}

async function isHeld(db: Db, blob: Digest): Promise<boolean> {
  const row = await db.get(
    'SELECT 1 FROM images WHERE digest = ? OR manifest = ? OR config = ? LIMIT 1',
    [blob, blob, blob],
  );
  return row !== undefined;
}
