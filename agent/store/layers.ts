// SPDX-License-Identifier: Apache-2.0
// Unpacked layers, each stored once: <state>/layers/<hex of the diffID>/{fs,headers.zst,layer.json}.
// INVARIANT: a folder below layers/ is whole and durable, since it gets there by rename after a sync. The
// table says what is there; where the two differ after a crash, the folder is right.

import { randomUUID } from 'node:crypto';
import { readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import {
  errnoOf,
  fileError,
  makeFolder,
  readIfThere,
  syncFolder,
  writeDurable,
} from '../../adapters/durable.js';
import type { Db } from '../../adapters/sqlite.js';
import { integer, object } from '../../protocol/check.js';
import { parseJson } from '../../protocol/json.js';
import { type Digest, hexOf, isDigest } from '../../protocol/name.js';
import { isFolder, removeTree, syncTree } from './tree.js';
import type { Layers, StagedLayer } from './types.js';

const layerFacts = object({ unpackedBytes: integer(0, Number.MAX_SAFE_INTEGER) }, { open: true });

export interface SweptLayers extends Layers {
  /** Brings the table to what is on disk. */
  adopt(): Promise<void>;
  /** Removes the folders of layers that no image holds; with `among` only of these. */
  sweep(among?: readonly Digest[]): Promise<number>;
}

export function layersIn(db: Db, folder: string, staging: string): SweptLayers {
  const pathOf = (diffId: Digest): string => join(folder, hexOf(diffId));
  const drop = (diffId: Digest): Promise<unknown> =>
    db.run('DELETE FROM layers WHERE diff_id = ?', [diffId]);
  return {
    dirOf: async (diffId) => {
      const row = await db.get<{ unpacked_bytes: number }>(
        'SELECT unpacked_bytes FROM layers WHERE diff_id = ?',
        [diffId],
      );
      if (row === undefined) return undefined;
      const dir = join(pathOf(diffId), 'fs');
      if (await isFolder(dir)) return { dir, unpackedBytes: row.unpacked_bytes };
      await drop(diffId);
      return undefined;
    },
    stage: (diffId) => stage(db, diffId, pathOf(diffId), staging),
    adopt: async () => {
      const rows = await db.all<{ diff_id: Digest }>('SELECT diff_id FROM layers');
      const known = new Set<string>(rows.map((row) => row.diff_id));
      for (const hex of await readdir(folder)) {
        const diffId = `sha256:${hex}`;
        if (known.delete(diffId)) continue;
        if (isDigest(diffId)) await adoptOne(db, diffId, pathOf(diffId));
      }
      for (const diffId of known) await drop(diffId as Digest);
    },
    sweep: async (among) => {
      const rows = await db.all<{ diff_id: Digest }>(
        'SELECT diff_id FROM layers WHERE diff_id NOT IN (SELECT diff_id FROM image_layers)',
      );
      const doomed = rows
        .map((row) => row.diff_id)
        .filter((diffId) => among === undefined || among.includes(diffId));
      for (const diffId of doomed) {
        await drop(diffId);
        await removeTree(pathOf(diffId), staging);
      }
      return doomed.length;
    },
  };
}

async function adoptOne(db: Db, diffId: Digest, path: string): Promise<void> {
  const bytes = await readIfThere(join(path, 'layer.json'));
  const text = bytes?.toString('utf8') ?? '{"unpackedBytes":0}';
  const facts = layerFacts(parseJson(text, join(path, 'layer.json')), 'layer');
  await insert(db, diffId, facts.unpackedBytes);
}

async function insert(db: Db, diffId: Digest, unpackedBytes: number): Promise<void> {
  await db.run('INSERT OR REPLACE INTO layers (diff_id, unpacked_bytes) VALUES (?, ?)', [
    diffId,
    unpackedBytes,
  ]);
}

async function stage(db: Db, diffId: Digest, path: string, staging: string): Promise<StagedLayer> {
  const place = join(staging, `${hexOf(diffId)}-${randomUUID()}`);
  const dir = join(place, 'fs');
  await makeFolder(dir);
  return {
    dir,
    headers: join(place, 'headers.zst'),
    commit: async ({ unpackedBytes }) => {
      await writeDurable(join(place, 'layer.json'), JSON.stringify({ unpackedBytes }));
      await syncTree(place);
      await moveInto(place, path, staging);
      await insert(db, diffId, unpackedBytes);
      return join(path, 'fs');
    },
    discard: () => removeTree(place, staging),
  };
}

/** Where the layer is there already, the new copy is dropped. */
async function moveInto(place: string, path: string, staging: string): Promise<void> {
  try {
    await rename(place, path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOTEMPTY' && errnoOf(error) !== 'EEXIST') {
      throw fileError(error, path);
    }
    await removeTree(place, staging);
  }
  await syncFolder(join(path, '..'));
}
