// SPDX-License-Identifier: Apache-2.0
// Tells an outside broker who may come, at the start and after a device was enrolled or revoked: writes the
// roster, then runs the operator's command. One run at a time; what changes meanwhile makes one more. It knows
// no broker.

import { writeDurable } from '../../adapters/durable.js';
import { run } from '../../adapters/exec.js';
import { errorFacts, type Log } from '../../adapters/log.js';
import type { Db } from '../../adapters/sqlite.js';
import { type Roster, roster } from '../../protocol/roster.js';

export interface TellOptions {
  readonly db: Db;
  readonly tenant: string;
  /** Of the roster. */
  readonly path: string;
  /** For the shell. */
  readonly command: string | undefined;
  readonly log: Log;
}

const runMs = 60_000;
/** Many devices that enrol at once make one run. */
const gatherMs = 200;

export interface Told {
  changed(): void;
  /** Waits for the run that goes on. */
  close(): Promise<void>;
}

export function tellBroker(options: TellOptions): Told {
  const { log } = options;
  let isDue = false;
  let isClosed = false;
  let running: Promise<void> | undefined;
  const work = async (): Promise<void> => {
    while (isDue && !isClosed) {
      await new Promise((resolve) => setTimeout(resolve, gatherMs));
      isDue = false;
      if (isClosed) break; // it is told at the next start
      try {
        await tell(options);
      } catch (error) {
        log.error(errorFacts(error), 'broker: not told of its devices');
      }
    }
    running = undefined;
  };
  return {
    changed: () => {
      if (isClosed) return;
      isDue = true;
      running ??= work();
    },
    close: async () => {
      isClosed = true;
      await running;
    },
  };
}

async function tell({ db, tenant, path, command, log }: TellOptions): Promise<void> {
  const rows = await db.all<{ device: string; isRevoked: number }>(
    'SELECT device, revokedAt IS NOT NULL AS isRevoked FROM devices ORDER BY device',
  );
  const names = (isRevoked: number): string[] =>
    rows.filter((row) => row.isRevoked === isRevoked).map((row) => row.device);
  const document: Roster = { tenant, devices: names(0), revoked: names(1) };
  await writeDurable(path, JSON.stringify(roster(document, 'roster')));
  if (command === undefined) return;
  const { code, stderr } = await run('/bin/sh', ['-c', command], { timeoutMs: runMs });
  if (code !== 0)
    log.error({ code, stderr: stderr.slice(-500) }, 'broker: not told of its devices');
}
