// SPDX-License-Identifier: Apache-2.0
// Events on their way to the fleet, kept until the broker has them, and the last whole report. Bounded: where
// it is full, refusals of what nobody trusted has sent go first, then the oldest progress, and transitions
// (what a rollout counts) go last.

import type { Db, Tx } from '../../adapters/sqlite.js';
import type { Event, Reported } from '../../protocol/device.js';
import { trimHistory } from './journal.js';
import { outboxCountMax } from './schema.js';
import type { Outbox } from './types.js';

const progressTypes: ReadonlyArray<Event['type']> = ['pulling', 'pulled', 'switching', 'gating'];

export function outboxIn(db: Db): Outbox {
  return {
    put: (event, how) => db.transaction((tx) => putEvent(tx, event, how)),
    next: async (count) => {
      const rows = await db.all<{ id: number; event: string }>(
        'SELECT id, event FROM outbox ORDER BY id LIMIT ?',
        [count],
      );
      return rows.map(({ id, event }) => ({ id, event: JSON.parse(event) as Event }));
    },
    done: async (id) => {
      await db.run('DELETE FROM outbox WHERE id = ?', [id]);
    },
    lastReported: async () => {
      const row = await db.get<{ body: string }>('SELECT body FROM reported');
      return row === undefined ? undefined : (JSON.parse(row.body) as Reported);
    },
    putReported: async (reported) => {
      await db.run('INSERT OR REPLACE INTO reported VALUES (1, ?)', [JSON.stringify(reported)]);
    },
  };
}

/** Also writes it into the history that `wherry why` reads. */
export async function putEvent(
  tx: Tx,
  event: Event,
  how: { unsigned: boolean } = { unsigned: false },
): Promise<void> {
  await tx.run('INSERT INTO outbox (is_transition, event) VALUES (?, ?)', [
    how.unsigned ? -1 : rankOf(event),
    JSON.stringify(event),
  ]);
  await tx.run(
    `DELETE FROM outbox WHERE id IN (
       SELECT id FROM outbox ORDER BY is_transition, id
       LIMIT max(0, (SELECT count(*) FROM outbox) - ?))`,
    [outboxCountMax],
  );
  await tx.run('INSERT INTO history (at, type, code, message) VALUES (?, ?, ?, ?)', [
    event.at,
    event.type,
    event.code ?? null,
    event.message ?? '',
  ]);
  await trimHistory(tx);
}

/** The lowest goes first where there is no room. */
function rankOf(event: Event): number {
  return progressTypes.includes(event.type) ? 0 : 1;
}
