// SPDX-License-Identifier: Apache-2.0
// Which boot this is, and the sequence of what the device says in it. The sequence is reserved in blocks, so
// that it grows over restarts of the agent at one write for many messages.

import { readFile } from 'node:fs/promises';
import type { Db } from '../../adapters/sqlite.js';

const seqBlock = 256;

export async function readBootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}

/** Records the boot; true where the database was last used in another one. */
export async function noteBoot(db: Db, bootId: string): Promise<boolean> {
  const last = await db.get<{ value: string }>("SELECT value FROM facts WHERE name = 'boot'");
  if (last?.value === bootId) return false;
  await db.transaction(async (tx) => {
    await tx.run("INSERT OR REPLACE INTO facts VALUES ('boot', ?)", [bootId]);
    await tx.run("INSERT OR REPLACE INTO facts VALUES ('seq', '0')");
  });
  return true;
}

export function sequenceIn(db: Db): () => Promise<number> {
  let next = 0;
  let end = 0;
  let reserving: Promise<void> | undefined;
  const reserve = async (): Promise<void> => {
    const row = await db.get<{ value: string }>("SELECT value FROM facts WHERE name = 'seq'");
    const from = Number(row?.value ?? 0);
    await db.run("INSERT OR REPLACE INTO facts VALUES ('seq', ?)", [String(from + seqBlock)]);
    next = from;
    end = from + seqBlock;
  };
  return async () => {
    while (next >= end) {
      reserving ??= reserve().finally(() => {
        reserving = undefined;
      });
      await reserving;
    }
    next += 1;
    return next;
  };
}
