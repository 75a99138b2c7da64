// SPDX-License-Identifier: Apache-2.0
// What shall be: the last accepted assignment and the releases that the device holds the document of. Only
// what agent/desired has accepted gets here; this file keeps it and checks nothing again.

import type { Db } from '../../adapters/sqlite.js';
import type { Assignment } from '../../protocol/assignment.js';
import type { Envelope } from '../../protocol/envelope.js';
import type { Digest } from '../../protocol/name.js';
import type { Release } from '../../protocol/release.js';
import { type FloorFile, markOf } from './floor.js';
import type { Desired } from './types.js';

export function desiredIn(db: Db, floor: FloorFile): Desired {
  return {
    assignment: async () => {
      const row = await db.get<{ assignment: string; envelope: string }>(
        'SELECT assignment, envelope FROM desired',
      );
      if (row === undefined) return undefined;
      return {
        assignment: JSON.parse(row.assignment) as Assignment,
        envelope: JSON.parse(row.envelope) as Envelope,
      };
    },
    accept: async (assignment, envelope) => {
      await floor.raise({ mark: markOf(assignment) });
      await db.run('INSERT OR REPLACE INTO desired VALUES (1, ?, ?, ?, ?)', [
        assignment.epoch,
        assignment.generation,
        JSON.stringify(assignment),
        JSON.stringify(envelope),
      ]);
    },
    floor: async () => floor.now.mark,
    isFloorLost: async () =>
      (await db.get("SELECT 1 FROM facts WHERE name = 'floorLost'")) !== undefined,
    release: async (digest) => {
      const row = await db.get<{ body: string }>('SELECT body FROM releases WHERE digest = ?', [
        digest,
      ]);
      return row === undefined ? undefined : (JSON.parse(row.body) as Release);
    },
    releases: async () => {
      const rows = await db.all<{ digest: Digest; body: string }>(
        'SELECT digest, body FROM releases ORDER BY digest',
      );
      return rows.map(({ digest, body }) => ({ digest, release: JSON.parse(body) as Release }));
    },
    putRelease: async (digest, release, envelope) => {
      await db.run('INSERT OR REPLACE INTO releases VALUES (?, ?, ?)', [
        digest,
        JSON.stringify(release),
        JSON.stringify(envelope),
      ]);
    },
    removeRelease: async (digest) => {
      await db.run('DELETE FROM releases WHERE digest = ?', [digest]);
    },
    counterOf: async (app) => {
      const row = await db.get<{ counter: number }>('SELECT counter FROM counters WHERE app = ?', [
        app,
      ]);
      return row?.counter ?? 0;
    },
  };
}
