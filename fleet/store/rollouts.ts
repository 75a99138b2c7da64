// SPDX-License-Identifier: Apache-2.0
// Rollouts: the frozen plan and what has become of it. It decides nothing: rollout/ does.

import type { Row, Tx } from '../../adapters/sqlite.js';
import type { Labels } from '../../protocol/api.js';
import { CodedError, type Facts } from '../../protocol/error.js';
import type { Digest } from '../../protocol/name.js';
import type { CatchUpRollout } from '../rollout/catch-up.js';
import type { DeviceFact, RolloutFacts, RolloutState } from '../rollout/facts.js';

export interface StoredRollout {
  readonly id: string;
  readonly release: Digest;
  readonly state: RolloutState;
  readonly code: string | null;
  readonly message: string | null;
  readonly facts: Facts;
  readonly selector: Labels;
  readonly bakeMs: number;
  readonly deadlineMs: number;
  readonly inFlightMax: number;
  /** Late devices get its release too. */
  readonly catchUp: boolean;
  readonly resumedAt: number | null;
  readonly createdBy: string;
  readonly createdAt: number;
  readonly updatedAt: number;
}

export interface RolloutDevice extends DeviceFact {
  readonly rollout: string;
  readonly phase: string | null;
  readonly epoch: number | null;
  readonly generation: number | null;
}

export type NewRollout = Pick<
  StoredRollout,
  'id' | 'release' | 'selector' | 'bakeMs' | 'deadlineMs' | 'inFlightMax' | 'catchUp' | 'createdBy'
> & { readonly seed: string; readonly waves: readonly (readonly string[])[] };

export async function addRollout(tx: Tx, rollout: NewRollout, nowMs: number): Promise<void> {
  const { id, release, seed, bakeMs, deadlineMs, inFlightMax, createdBy } = rollout;
  await tx.run(
    `INSERT INTO rollouts (id, release, state, selector, seed, bakeMs, deadlineMs, inFlightMax,
       catchUp, createdBy, createdAt, updatedAt)
     VALUES (?, ?, 'running', ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    [
      id,
      release,
      JSON.stringify(rollout.selector),
      seed,
      bakeMs,
      deadlineMs,
      inFlightMax,
      rollout.catchUp ? 1 : 0,
      createdBy,
      nowMs,
      nowMs,
    ],
  );
  let rank = 0;
  for (const [wave, devices] of rollout.waves.entries()) {
    await tx.run('INSERT INTO rollout_waves (rollout, wave) VALUES (?, ?)', [id, wave]);
    for (const device of devices) {
      await tx.run(
        'INSERT INTO rollout_devices (rollout, device, wave, rank) VALUES (?, ?, ?, ?)',
        [id, device, wave, rank],
      );
      rank += 1;
    }
  }
}

/** @throws ROLLOUT_UNKNOWN */
export async function needRollout(tx: Tx, id: string): Promise<StoredRollout> {
  const row = await tx.get('SELECT * FROM rollouts WHERE id = ?', [id]);
  if (row !== undefined) return rolloutOf(row);
  throw new CodedError('ROLLOUT_UNKNOWN', `there is no rollout ${id}`, { rollout: id });
}

/** Newest first. */
export async function listRollouts(tx: Tx, limit: number): Promise<StoredRollout[]> {
  const rows = await tx.all('SELECT * FROM rollouts ORDER BY createdAt DESC, id DESC LIMIT ?', [
    limit,
  ]);
  return rows.map(rolloutOf);
}

/** Of so many newest ones a device that came late may get the release. */
const catchUpCountMax = 1000;

/** Those that succeeded or still run, newest first. */
export async function provenRollouts(
  tx: Tx,
): Promise<Array<Omit<CatchUpRollout, 'isSelected'> & { selector: Labels }>> {
  const rows = await tx.all<Row & { passedWaveCount: number }>(
    `SELECT r.*, (SELECT count(*) FROM rollout_waves w
       WHERE w.rollout = r.id AND w.passedAt IS NOT NULL) AS passedWaveCount
     FROM rollouts r WHERE r.state IN ('succeeded', 'running')
     ORDER BY r.createdAt DESC, r.rowid DESC LIMIT ?`,
    [catchUpCountMax],
  );
  return rows.map((row) => {
    const { id, release, state, catchUp, selector } = rolloutOf(row);
    return { id, release, state, catchUp, selector, passedWaveCount: row.passedWaveCount };
  });
}

/** Oldest first. */
export async function activeRollouts(tx: Tx): Promise<StoredRollout[]> {
  const rows = await tx.all(
    "SELECT * FROM rollouts WHERE state IN ('running', 'paused') ORDER BY createdAt, id",
  );
  return rows.map(rolloutOf);
}

export async function setRolloutState(
  tx: Tx,
  id: string,
  change: { state: RolloutState; code?: string; message?: string; facts?: Facts },
  nowMs: number,
): Promise<void> {
  const isResumed = change.state === 'running';
  await tx.run(
    `UPDATE rollouts SET state = ?, code = ?, message = ?, facts = ?, updatedAt = ?,
       resumedAt = COALESCE(?, resumedAt) WHERE id = ?`,
    [
      change.state,
      change.code ?? null,
      change.message ?? null,
      JSON.stringify(change.facts ?? {}),
      nowMs,
      isResumed ? nowMs : null,
      id,
    ],
  );
}

export async function setWave(
  tx: Tx,
  id: string,
  wave: number,
  what: 'openedAt' | 'passedAt',
  nowMs: number,
): Promise<void> {
  await tx.run(`UPDATE rollout_waves SET ${what} = ? WHERE rollout = ? AND wave = ?`, [
    nowMs,
    id,
    wave,
  ]);
}

export async function rolloutDevices(tx: Tx, id: string): Promise<RolloutDevice[]> {
  const rows = await tx.all('SELECT * FROM rollout_devices WHERE rollout = ? ORDER BY rank', [id]);
  return rows.map(deviceOf);
}

/** Its places in rollouts that still run or are paused. */
export async function activePlaces(tx: Tx, device: string): Promise<RolloutDevice[]> {
  const rows = await tx.all(
    `SELECT d.* FROM rollout_devices d JOIN rollouts r ON r.id = d.rollout
     WHERE d.device = ? AND r.state IN ('running', 'paused')`,
    [device],
  );
  return rows.map(deviceOf);
}

export type DeviceChange = Partial<
  Pick<
    RolloutDevice,
    'outcome' | 'phase' | 'code' | 'message' | 'assignedAtMs' | 'goodAtMs' | 'epoch' | 'generation'
  >
>;

const columns: Readonly<Record<keyof DeviceChange, string>> = {
  outcome: 'outcome',
  phase: 'phase',
  code: 'code',
  message: 'message',
  assignedAtMs: 'assignedAt',
  goodAtMs: 'goodAt',
  epoch: 'epoch',
  generation: 'generation',
};

export async function changeDevice(
  tx: Tx,
  id: string,
  device: string,
  change: DeviceChange,
): Promise<void> {
  for (const [key, value] of Object.entries(change)) {
    const column = columns[key as keyof DeviceChange];
    await tx.run(`UPDATE rollout_devices SET ${column} = ? WHERE rollout = ? AND device = ?`, [
      value,
      id,
      device,
    ]);
  }
}

export async function factsOf(
  tx: Tx,
  rollout: StoredRollout,
  nowMs: number,
): Promise<RolloutFacts> {
  const { release, state, bakeMs, deadlineMs, inFlightMax } = rollout;
  const waves = await tx.all<{ openedAtMs: number | null; passedAtMs: number | null }>(
    `SELECT openedAt AS openedAtMs, passedAt AS passedAtMs FROM rollout_waves
     WHERE rollout = ? ORDER BY wave`,
    [rollout.id],
  );
  const devices = await rolloutDevices(tx, rollout.id);
  const resumedAtMs = rollout.resumedAt;
  return { nowMs, release, state, bakeMs, deadlineMs, inFlightMax, resumedAtMs, waves, devices };
}

function rolloutOf(row: Row): StoredRollout {
  return {
    ...(row as unknown as StoredRollout),
    facts: JSON.parse(String(row['facts'])) as Facts,
    selector: JSON.parse(String(row['selector'])) as Labels,
    catchUp: row['catchUp'] === 1,
  };
}

function deviceOf(row: Row): RolloutDevice {
  const { assignedAt, goodAt, ...rest } = row;
  return {
    ...(rest as unknown as RolloutDevice),
    assignedAtMs: assignedAt as number | null,
    goodAtMs: goodAt as number | null,
  };
}
