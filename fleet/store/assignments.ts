// SPDX-License-Identifier: Apache-2.0
// Assignments: what each device shall run. (epoch, generation) is given here, in the transaction that also
// keeps the signed document, so that one generation never has two bodies.

import type { Tx } from '../../adapters/sqlite.js';
import type { Digest } from '../../protocol/name.js';

export interface StoredAssignment {
  readonly device: string;
  readonly epoch: number;
  readonly generation: number;
  readonly release: Digest | null;
  readonly rollout: string | null;
  /** The signed envelope, as it goes to the device. */
  readonly envelope: string;
  readonly issuedAt: number;
}

/** Kept of each device, for people. */
const historyCountMax = 16;
/** A device that claims a generation above it is not believed: no fleet gives out as many. */
const generationMax = 2 ** 48;

/** `sign` gets the generation and gives the envelope. Call it inside a transaction. */
export async function assign(
  tx: Tx,
  wanted: { device: string; epoch: number; release: Digest | null; rollout: string | null },
  sign: (generation: number) => string,
  nowMs: number,
): Promise<StoredAssignment> {
  const { device, epoch, release, rollout } = wanted;
  const generation = (await lastGeneration(tx, device)) + 1;
  const envelope = sign(generation);
  await tx.run(
    `INSERT INTO assignments (device, epoch, generation, release, rollout, envelope, issuedAt)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
    [device, epoch, generation, release, rollout, envelope, nowMs],
  );
  await tx.run('DELETE FROM assignments WHERE device = ? AND generation <= ?', [
    device,
    generation - historyCountMax,
  ]);
  return { device, epoch, generation, release, rollout, envelope, issuedAt: nowMs };
}

/** The highest known here or at the device, which may remember more than a restored database. */
async function lastGeneration(tx: Tx, device: string): Promise<number> {
  const row = await tx.get<{ last: number | null }>(
    `SELECT MAX(generation) AS last FROM (
       SELECT generation FROM assignments WHERE device = ?1
       UNION ALL SELECT generation FROM devices WHERE device = ?1 AND generation < ?2)`,
    [device, generationMax],
  );
  return row?.last ?? 0;
}

export async function newestAssignment(
  tx: Tx,
  device: string,
): Promise<StoredAssignment | undefined> {
  return tx.get<StoredAssignment>(
    'SELECT * FROM assignments WHERE device = ? ORDER BY generation DESC LIMIT 1',
    [device],
  );
}

/** The newest of each device in service. */
export async function newestAssignments(tx: Tx): Promise<StoredAssignment[]> {
  return tx.all<StoredAssignment>(
    `SELECT a.* FROM assignments a JOIN devices d ON d.device = a.device
     WHERE d.revokedAt IS NULL AND a.generation =
       (SELECT MAX(generation) FROM assignments b WHERE b.device = a.device)`,
  );
}
