// SPDX-License-Identifier: Apache-2.0
// The record of what happened: what devices told and what the fleet did. The oldest go first past a bound: each
// device has one of its own, and so has the fleet, so that no device pushes out the history of another.

import type { Row, Tx } from '../../adapters/sqlite.js';
import type { ApiEvent } from '../../protocol/api.js';

/** Of each device, told by it. */
export const toldCountMax = 500;
/** What the fleet did itself. */
export const ownCountMax = 100_000;

export type NewEvent = Partial<Omit<ApiEvent, 'id'>> & Pick<ApiEvent, 'type' | 'at'>;

/** What the fleet did. */
export async function addEvent(tx: Tx, event: NewEvent): Promise<void> {
  await insert(tx, event, 0);
  await tx.run(
    `DELETE FROM events WHERE told = 0 AND id <=
       (SELECT id FROM events WHERE told = 0 ORDER BY id DESC LIMIT 1 OFFSET ?)`,
    [ownCountMax],
  );
}

/** What a device told. */
export async function addTold(tx: Tx, event: NewEvent & { device: string }): Promise<void> {
  await insert(tx, event, 1);
  await tx.run(
    `DELETE FROM events WHERE told = 1 AND device = ?1 AND id <=
       (SELECT id FROM events WHERE told = 1 AND device = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)`,
    [event.device, toldCountMax],
  );
}

async function insert(tx: Tx, event: NewEvent, told: 0 | 1): Promise<void> {
  await tx.run(
    `INSERT INTO events (device, rollout, type, generation, release, code, message, counts, at, told)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    [
      event.device ?? null,
      event.rollout ?? null,
      event.type,
      event.generation ?? null,
      event.release ?? null,
      event.code ?? null,
      event.message ?? null,
      JSON.stringify(event.counts ?? {}),
      event.at,
      told,
    ],
  );
}

/** Newest last. Without `after` the newest ones, with it those that follow. */
export async function listEvents(
  tx: Tx,
  query: { device: string | null; type: string | null; after: number | null; limit: number },
): Promise<ApiEvent[]> {
  const order = query.after === null ? 'DESC' : 'ASC';
  const rows = await tx.all(
    `SELECT * FROM events WHERE (?1 IS NULL OR device = ?1) AND (?2 IS NULL OR type = ?2)
       AND id > ?3 ORDER BY id ${order} LIMIT ?4`,
    [query.device, query.type, query.after ?? 0, query.limit],
  );
  const events = rows.map(eventOf);
  return query.after === null ? events.reverse() : events;
}

function eventOf({ told: _, ...row }: Row): ApiEvent {
  return {
    ...(row as unknown as ApiEvent),
    counts: JSON.parse(String(row['counts'])) as ApiEvent['counts'],
  };
}
