// SPDX-License-Identifier: Apache-2.0
// Opens the store: the database, and the folders below the state folder that nothing else writes to.
// INVARIANT: every call is durable when it resolves; after a power cut the next open finds the old state or
// the new one. What is half done lies in staging/, which is cleared at every open.

import { readdir, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../adapters/clock.js';
import { makeFolder } from '../../adapters/durable.js';
import { errorFacts, type Log } from '../../adapters/log.js';
import type { Places } from '../../adapters/places.js';
import { type Db, openDb } from '../../adapters/sqlite.js';
import { blobsIn } from './blobs.js';
import { noteBoot, readBootId, sequenceIn } from './boot.js';
import { desiredIn } from './desired.js';
import { openFloor } from './floor.js';
import { foldersIn } from './folders.js';
import { imagesIn } from './images.js';
import { journalIn } from './journal.js';
import { layersIn } from './layers.js';
import { outboxIn } from './outbox.js';
import { migrations } from './schema.js';
import type { Store } from './types.js';
import { raiseCounters, renewTrial, verdictsIn } from './verdicts.js';

/**
 * `recovered`: the database was damaged and is new; layers and bundles are still there, and so is the floor.
 * @throws STORE_CORRUPT, NO_SPACE
 */
export async function openStore(
  places: Places,
  log: Log,
  options: { bootId?: string } = {},
): Promise<{ store: Store; recovered: boolean }> {
  const at = (name: string): string => join(places.state, name);
  await makeFolder(places.state, 0o700);
  for (const name of ['layers', 'staging', 'blobs/sha256', 'containers', 'volumes']) {
    await makeFolder(at(name));
  }
  const { db, recovered } = await openDb(at('wherry.db'), migrations);
  if (recovered) log.error({ code: 'STORE_CORRUPT', path: at('wherry.db') }, 'store: began anew');
  const floor = await openFloor(at('floor.json'), db, recovered, log);
  await db.transaction((tx) => raiseCounters(tx, floor.now.counters));
  const bootId = options.bootId ?? (await readBootId());
  await startBoot(db, bootId);

  const staging = at('staging');
  const cleared = clear(staging, await readdir(staging), log);
  const blobs = blobsIn(at('blobs/sha256'));
  const layers = layersIn(db, at('layers'), staging);
  await layers.adopt();
  const images = imagesIn(db, layers, blobs);
  for (const digest of await images.check()) {
    log.warn({ code: 'STORE_CORRUPT', digest }, 'store: an image lacks a layer and is forgotten');
  }
  const store: Store = {
    bootId,
    blobs,
    layers,
    images,
    folders: foldersIn({ containers: at('containers'), volumes: at('volumes') }, staging),
    desired: desiredIn(db, floor),
    verdicts: verdictsIn(db, floor),
    journal: journalIn(db),
    outbox: outboxIn(db),
    nextSeq: sequenceIn(db),
    freeBytes: async () => {
      const { bavail, bsize } = await statfs(places.state);
      return bavail * bsize;
    },
    sweep: () => layers.sweep(),
    close: async () => {
      await cleared;
      await db.close();
    },
  };
  return { store, recovered };
}

async function startBoot(db: Db, bootId: string): Promise<void> {
  if (!(await noteBoot(db, bootId))) return;
  // Monotonic times of another boot mean nothing in this one.
  await db.run('DELETE FROM backoffs');
  await renewTrial(db, systemClock.monotonicMs());
}

/** In the background, and only what was there before the store was in use. */
async function clear(staging: string, leavings: readonly string[], log: Log): Promise<void> {
  for (const name of leavings) {
    try {
      await rm(join(staging, name), { recursive: true, force: true });
    } catch (error) {
      log.warn(errorFacts(error), 'store: leavings could not be removed');
    }
  }
}
