// SPDX-License-Identifier: Apache-2.0
// Whether a device's word is newer than what is known: (bootId, seq), each kind of message for itself, since
// MQTT keeps order only within a topic. Duplicates and late arrivals are refused here.
// Boot ids have no order: the first word of a boot never seen makes it the current one, and a boot that was
// left does not come back. Birth and will of one connection share a number; the broker keeps their order.
// Events may come from an earlier boot: they waited in the device's outbox.

import type { Tx } from '../../adapters/sqlite.js';

export type Spoken = 'hello' | 'reported' | 'event' | 'presence';

/**
 * Rows of boots that were left, of each device: older ones are forgotten. A message that old would have to wait
 * through as many restarts. Events count apart: the boots that they name are never checked against another.
 */
export const leftRowCountMax = { event: 32, other: 96 } as const;

/** Notes the word and says whether it is new. The device must exist. */
export async function isNews(
  tx: Tx,
  device: string,
  kind: Spoken,
  word: { readonly bootId: string; readonly seq: number },
  nowMs: number,
): Promise<boolean> {
  if (kind !== 'event' && !(await isCurrentBoot(tx, device, word.bootId))) return false;
  const { changes } = await tx.run(
    `INSERT INTO boots (device, bootId, kind, seq, firstAt) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (device, bootId, kind) DO UPDATE SET seq = excluded.seq
       WHERE excluded.seq > seq OR (excluded.seq = seq AND kind = 'presence')`,
    [device, word.bootId, kind, word.seq, nowMs],
  );
  if (changes > 0) await prune(tx, device, kind);
  return changes > 0;
}

/** With every message: whatever a device says, it fills no more than its bound. */
async function prune(tx: Tx, device: string, kind: Spoken): Promise<void> {
  const isEvent = kind === 'event';
  const kinds = isEvent ? "kind = 'event'" : "kind <> 'event'";
  await tx.run(
    `DELETE FROM boots WHERE device = ?1 AND ${kinds}
       AND bootId IS NOT (SELECT bootId FROM devices WHERE device = ?1)
       AND rowid NOT IN (SELECT rowid FROM boots WHERE device = ?1 AND ${kinds}
         ORDER BY firstAt DESC, rowid DESC LIMIT ?2)`,
    [device, isEvent ? leftRowCountMax.event : leftRowCountMax.other],
  );
}

async function isCurrentBoot(tx: Tx, device: string, bootId: string): Promise<boolean> {
  const row = await tx.get<{ bootId: string | null }>(
    'SELECT bootId FROM devices WHERE device = ?',
    [device],
  );
  if (row === undefined) return false;
  if (row.bootId === bootId) return true;
  const left = await tx.get(
    "SELECT 1 FROM boots WHERE device = ? AND bootId = ? AND kind <> 'event' LIMIT 1",
    [device, bootId],
  );
  if (left !== undefined) return false;
  await tx.run('UPDATE devices SET bootId = ? WHERE device = ?', [bootId, device]);
  return true;
}
