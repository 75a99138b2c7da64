// SPDX-License-Identifier: Apache-2.0
// What the gate has decided. Each call is one transaction, and an event given along is part of it: the fleet
// hears of exactly what was recorded. A commit raises the app's counter, below which nothing is accepted again;
// the floor first, so that a damaged database does not forget it.

import type { Db, Tx } from '../../adapters/sqlite.js';
import type { Event } from '../../protocol/device.js';
import type { Digest } from '../../protocol/name.js';
import type { Release } from '../../protocol/release.js';
import type { Baseline, Trial } from '../plan/observed.js';
import type { FloorFile } from './floor.js';
import { putEvent } from './outbox.js';
import { failedCountMax } from './schema.js';
import type { Verdicts } from './types.js';

interface VerdictRow {
  good: Digest | null;
  trial: Digest | null;
  switched_at_ms: number;
  well_since_ms: number | null;
  baseline: string;
}

const noTrial = 'trial = NULL, switched_at_ms = NULL, well_since_ms = NULL, baseline = NULL';

export function verdictsIn(db: Db, floor: FloorFile): Verdicts {
  const row = (): Promise<VerdictRow | undefined> =>
    db.get<VerdictRow>('SELECT * FROM verdict WHERE id = 1');
  const write = (event: Event | undefined, work: (tx: Tx) => Promise<unknown>): Promise<void> =>
    db.transaction(async (tx) => {
      await work(tx);
      if (event !== undefined) await putEvent(tx, event);
    });
  return {
    good: async () => (await row())?.good ?? null,
    trial: async () => trialOf(await row()),
    failed: async () => {
      const rows = await db.all<{
        release: Digest;
        code: string;
        message: string;
        returned: number;
      }>('SELECT release, code, message, returned FROM failed ORDER BY id DESC');
      return rows.map((failed) => ({ ...failed, returned: failed.returned === 1 }));
    },
    try: (trial, event) => write(event, (tx) => putTrial(tx, trial)),
    well: (sinceMs, event) =>
      write(event, (tx) =>
        tx.run('UPDATE verdict SET well_since_ms = ?', [
          sinceMs === null ? null : Math.floor(sinceMs),
        ]),
      ),
    commit: async (release, event) => {
      const counters = await countersOf(db, release);
      await floor.raise({ counters });
      await write(event, (tx) => commit(tx, release, counters));
    },
    fail: (release, code, message, event) => write(event, (tx) => fail(tx, release, code, message)),
    returned: (release, event) =>
      write(event, (tx) => tx.run('UPDATE failed SET returned = 1 WHERE release = ?', [release])),
    empty: (event) => write(event, (tx) => tx.run(`UPDATE verdict SET good = NULL, ${noTrial}`)),
    clear: async (release) => {
      await db.run('DELETE FROM failed WHERE release = ?', [release]);
    },
  };
}

function trialOf(row: VerdictRow | undefined): Trial | null {
  if (row === undefined || row.trial === null) return null;
  return {
    release: row.trial,
    switchedAtMs: row.switched_at_ms,
    wellSinceMs: row.well_since_ms,
    baseline: JSON.parse(row.baseline) as Baseline[],
  };
}

async function putTrial(tx: Tx, trial: Trial): Promise<void> {
  await tx.run(
    'UPDATE verdict SET trial = ?, switched_at_ms = ?, well_since_ms = ?, baseline = ?',
    [
      trial.release,
      Math.floor(trial.switchedAtMs),
      trial.wellSinceMs === null ? null : Math.floor(trial.wellSinceMs),
      JSON.stringify(trial.baseline),
    ],
  );
}

/** Of its app; none where the document is not here. */
async function countersOf(tx: Tx, release: Digest): Promise<Record<string, number>> {
  const row = await tx.get<{ body: string }>('SELECT body FROM releases WHERE digest = ?', [
    release,
  ]);
  if (row === undefined) return {};
  const { app, counter } = JSON.parse(row.body) as Release;
  return { [app]: counter };
}

async function commit(tx: Tx, release: Digest, counters: Record<string, number>): Promise<void> {
  await tx.run(`UPDATE verdict SET good = ?, ${noTrial}`, [release]);
  await tx.run("DELETE FROM facts WHERE name = 'floorLost'");
  await raiseCounters(tx, counters);
}

export async function raiseCounters(
  tx: Tx,
  counters: Readonly<Record<string, number>>,
): Promise<void> {
  for (const [app, counter] of Object.entries(counters)) {
    await tx.run(
      `INSERT INTO counters VALUES (?, ?)
       ON CONFLICT (app) DO UPDATE SET counter = max(counter, excluded.counter)`,
      [app, counter],
    );
  }
}

async function fail(tx: Tx, release: Digest, code: string, message: string): Promise<void> {
  await tx.run(`UPDATE verdict SET ${noTrial} WHERE trial = ?`, [release]);
  await tx.run('DELETE FROM failed WHERE release = ?', [release]);
  await tx.run('INSERT INTO failed (release, code, message) VALUES (?, ?, ?)', [
    release,
    code,
    message,
  ]);
  await tx.run(
    'DELETE FROM failed WHERE id NOT IN (SELECT id FROM failed ORDER BY id DESC LIMIT ?)',
    [failedCountMax],
  );
}

/** After a reboot: the gate begins anew, and no container has restarted yet. */
export async function renewTrial(db: Db, nowMs: number): Promise<void> {
  await db.run(
    `UPDATE verdict SET switched_at_ms = ?, well_since_ms = NULL, baseline = '[]'
     WHERE trial IS NOT NULL`,
    [Math.floor(nowMs)],
  );
}
