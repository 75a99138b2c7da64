// SPDX-License-Identifier: Apache-2.0
// The secrets of the fleet in the database: logins of registries, by name. Each is sealed to the server's own key;
// the database never holds one in clear. What was removed leaves its version behind, so that versions grow.

import type { Tx } from '../../adapters/sqlite.js';
import { CodedError } from '../../protocol/error.js';
import { secretCountMax } from '../../protocol/sealed.js';

export const secretTables = `
CREATE TABLE secrets (
  name TEXT PRIMARY KEY,
  version INTEGER NOT NULL,
  sealed TEXT,
  about TEXT NOT NULL,
  changedBy TEXT NOT NULL,
  changedAt INTEGER NOT NULL
);
ALTER TABLE devices ADD COLUMN sealKey TEXT;
`;

export interface Secret {
  readonly name: string;
  readonly version: number;
  readonly sealed: string;
  /** What may be shown: the user's name. */
  readonly about: string;
  readonly changedBy: string;
  readonly changedAt: number;
}

export interface NewSecret {
  readonly name: string;
  readonly sealed: string;
  readonly about: string;
  readonly changedBy: string;
}

/** What an envelope carries, and what a secret's name and version add to it at most. */
const lengthMax = 90_000;
const overheadMax = 340;

/** By name. */
export function listSecrets(tx: Tx): Promise<Secret[]> {
  return tx.all<Secret>('SELECT * FROM secrets WHERE sealed IS NOT NULL ORDER BY name');
}

/** Of the newest change; 0 where there never was a secret. */
export async function newestVersion(tx: Tx): Promise<number> {
  const row = await tx.get<{ version: number | null }>(
    'SELECT max(version) AS version FROM secrets',
  );
  return row?.version ?? 0;
}

/** By the clock, so that a database from a backup does not give numbers that devices have seen. */
async function nextVersion(tx: Tx, nowMs: number): Promise<number> {
  return Math.max((await newestVersion(tx)) + 1, Math.floor(nowMs / 1000));
}

/** @throws SECRET_LIMIT */
export async function putSecret(tx: Tx, secret: NewSecret, nowMs: number): Promise<number> {
  const others = (await listSecrets(tx)).filter(({ name }) => name !== secret.name);
  const length = others.reduce((sum, { sealed }) => sum + sealed.length, secret.sealed.length);
  if (others.length >= secretCountMax || length + overheadMax * others.length > lengthMax) {
    const what = `there are ${others.length} secrets already, of ${length} characters with this one`;
    throw new CodedError('SECRET_LIMIT', what);
  }
  const version = await nextVersion(tx, nowMs);
  const { name, sealed, about, changedBy } = secret;
  await tx.run(
    `INSERT INTO secrets (name, version, sealed, about, changedBy, changedAt) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (name) DO UPDATE SET version = excluded.version, sealed = excluded.sealed,
       about = excluded.about, changedBy = excluded.changedBy, changedAt = excluded.changedAt`,
    [name, version, sealed, about, changedBy, nowMs],
  );
  return version;
}

/** @throws SECRET_UNKNOWN */
export async function removeSecret(
  tx: Tx,
  name: string,
  changedBy: string,
  nowMs: number,
): Promise<void> {
  const version = await nextVersion(tx, nowMs);
  const { changes } = await tx.run(
    `UPDATE secrets SET sealed = NULL, version = ?, changedBy = ?, changedAt = ?
     WHERE name = ? AND sealed IS NOT NULL`,
    [version, changedBy, nowMs, name],
  );
  if (changes === 0) throw new CodedError('SECRET_UNKNOWN', `there is no ${name}`, { name });
}

/** Devices in service that have a key to seal to. */
export async function sealable(tx: Tx): Promise<string[]> {
  const rows = await tx.all<{ device: string }>(
    'SELECT device FROM devices WHERE revokedAt IS NULL AND sealKey IS NOT NULL',
  );
  return rows.map(({ device }) => device);
}

/** Base64. */
export async function sealKeyOfDevice(tx: Tx, device: string): Promise<string | undefined> {
  const row = await tx.get<{ sealKey: string | null }>(
    'SELECT sealKey FROM devices WHERE device = ? AND revokedAt IS NULL',
    [device],
  );
  return row?.sealKey ?? undefined;
}
