// SPDX-License-Identifier: Apache-2.0
// One agent a root: a write transaction on <run>/wherryd.lock that stays open. The kernel drops it with the
// process, however that ends, so there is never a stale lock to judge. Who can read the file could hold a lock
// on it and keep us from starting, so it is root's alone; its folder is open to root's group, for the socket.

import { chmod, open } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, makeFolder } from '../../adapters/durable.js';
import type { Places } from '../../adapters/places.js';
import { openDb } from '../../adapters/sqlite.js';
import { CodedError } from '../../protocol/error.js';

/** @throws AGENT_RUNNING */
export async function lockRoot(places: Places): Promise<{ release(): Promise<void> }> {
  await makeFolder(places.runtime, 0o750);
  const path = join(places.runtime, 'wherryd.lock');
  await keepPrivate(path);
  const { db } = await openDb(path, []);
  await db.run('PRAGMA busy_timeout = 0');
  let letGo = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  try {
    await new Promise<void>((resolve, reject) => {
      db.transaction(async () => {
        resolve();
        await held;
      }).catch(reject);
    });
  } catch (error) {
    await db.close();
    if ((error as { code?: unknown }).code !== 'SQLITE_BUSY') throw error;
    throw new CodedError(
      'AGENT_RUNNING',
      `another agent works in ${places.root}`,
      { root: places.root, path },
      { cause: error },
    );
  }
  return {
    release: async () => {
      letGo();
      await db.close();
    },
  };
}

/** Before SQLite makes it: what SQLite puts beside it gets the same mode. What an earlier agent left is narrowed. */
async function keepPrivate(path: string): Promise<void> {
  try {
    const file = await open(path, 'wx', 0o600);
    await file.close();
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
  // By path: closing a descriptor of it would drop the locks that this process has on it.
  for (const suffix of ['', '-wal', '-shm']) {
    await chmod(path + suffix, 0o600).catch((error: unknown) => {
      if (errnoOf(error) !== 'ENOENT') throw error;
    });
  }
}
