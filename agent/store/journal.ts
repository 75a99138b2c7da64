// SPDX-License-Identifier: Apache-2.0
// Steps begun and ended, and what must not be tried again before its time. A step that was begun and never
// ended says that the agent ended inside it: a power cut, or the step itself was the cause (apply settles it).

import { instantOf, systemClock } from '../../adapters/clock.js';
import type { Db, Tx } from '../../adapters/sqlite.js';
import { isCode } from '../../protocol/codes.js';
import type { Backoff } from '../plan/observed.js';
import { backoffCountMax, historyCountMax, journalCountMax } from './schema.js';
import type { Journal } from './types.js';

interface BackoffRow {
  subject: string;
  code: string;
  message: string;
  attempts: number;
  not_before_ms: number;
}

export function journalIn(db: Db): Journal {
  return {
    begin: async (step, subject) => {
      const { lastId } = await db.run(
        'INSERT INTO journal (step, subject, began_at) VALUES (?, ?, ?)',
        [step, subject, nowInstant()],
      );
      await db.run('DELETE FROM journal WHERE id <= ?', [lastId - journalCountMax]);
      return lastId;
    },
    end: (id, outcome, code, message) =>
      db.transaction(async (tx) => {
        const at = nowInstant();
        await tx.run(
          'UPDATE journal SET ended_at = ?, outcome = ?, code = ?, message = ? WHERE id = ?',
          [at, outcome, code ?? null, message ?? null, id],
        );
        if (outcome === 'done') return;
        await tx.run(
          `INSERT INTO history (at, type, code, message)
           SELECT ?, step, ?, subject || ': ' || ? FROM journal WHERE id = ?`,
          [at, code ?? null, message ?? '', id],
        );
        await trimHistory(tx);
      }),
    begun: () => db.all('SELECT id, step, subject FROM journal WHERE outcome IS NULL ORDER BY id'),
    backoffs: async () => {
      const rows = await db.all<BackoffRow>('SELECT * FROM backoffs ORDER BY subject');
      return rows.map(backoffOf);
    },
    putBackoff: (backoff) =>
      db.transaction(async (tx) => {
        const { subject, code, message, attempts, notBeforeMs } = backoff;
        await tx.run('INSERT OR REPLACE INTO backoffs VALUES (?, ?, ?, ?, ?)', [
          subject,
          code,
          message,
          attempts,
          Math.ceil(notBeforeMs),
        ]);
        await tx.run(
          `DELETE FROM backoffs WHERE subject NOT IN
           (SELECT subject FROM backoffs ORDER BY not_before_ms DESC LIMIT ?)`,
          [backoffCountMax],
        );
      }),
    clearBackoff: async (subject) => {
      await db.run('DELETE FROM backoffs WHERE subject = ?', [subject]);
    },
    clearBackoffs: async () => {
      await db.run('DELETE FROM backoffs');
    },
    recent: (count) =>
      db.all('SELECT at, type, code, message FROM history ORDER BY id DESC LIMIT ?', [
        Math.min(count, historyCountMax),
      ]),
  };
}

function nowInstant(): string {
  return instantOf(systemClock.now());
}

function backoffOf(row: BackoffRow): Backoff {
  return {
    subject: row.subject,
    code: isCode(row.code) ? row.code : 'BUG', // written by a newer agent, which then went away
    message: row.message,
    attempts: row.attempts,
    notBeforeMs: row.not_before_ms,
  };
}

/** With every line that is written. */
export async function trimHistory(tx: Tx): Promise<void> {
  await tx.run('DELETE FROM history WHERE id <= (SELECT coalesce(max(id), 0) FROM history) - ?', [
    historyCountMax,
  ]);
}
