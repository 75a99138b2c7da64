// SPDX-License-Identifier: Apache-2.0
// Releases with their envelopes. A release never changes and is never deleted; `retained` says that its
// document lies on the broker.

import type { Row, Tx } from '../../adapters/sqlite.js';
import { CodedError } from '../../protocol/error.js';
import { type Digest, isDigest } from '../../protocol/name.js';

export interface StoredRelease {
  readonly digest: Digest;
  readonly app: string;
  readonly version: string;
  readonly counter: number;
  readonly keyid: string;
  /** The signed envelope, as it goes to devices. */
  readonly envelope: string;
  readonly createdAt: string;
  readonly retained: boolean;
}

/**
 * Adds it, or says that it was there: the same digest twice is no error.
 * @throws RELEASE_COUNTER, RELEASE_EXISTS
 */
export async function addRelease(
  tx: Tx,
  release: Omit<StoredRelease, 'retained'>,
  nowMs: number,
): Promise<boolean> {
  const { digest, app, version, counter } = release;
  if ((await findRelease(tx, digest)) !== undefined) return false;
  const same = await tx.get<{ digest: string }>(
    'SELECT digest FROM releases WHERE app = ? AND version = ?',
    [app, version],
  );
  if (same !== undefined) {
    throw new CodedError('RELEASE_EXISTS', `${app}:${version} is ${same.digest} already`, {
      app,
      version,
      digest: same.digest,
    });
  }
  const last = await lastCounter(tx, app);
  if (counter <= last) {
    throw new CodedError(
      'RELEASE_COUNTER',
      `the counter ${counter} of ${app} is not above ${last}`,
      {
        app,
        counter,
        last,
      },
    );
  }
  await tx.run(
    `INSERT INTO releases (digest, app, version, counter, keyid, envelope, createdAt, uploadedAt)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    [digest, app, version, counter, release.keyid, release.envelope, release.createdAt, nowMs],
  );
  return true;
}

/** 0 where the app has none. */
export async function lastCounter(tx: Tx, app: string): Promise<number> {
  const row = await tx.get<{ last: number | null }>(
    'SELECT MAX(counter) AS last FROM releases WHERE app = ?',
    [app],
  );
  return row?.last ?? 0;
}

export async function findRelease(tx: Tx, digest: string): Promise<StoredRelease | undefined> {
  const row = await tx.get('SELECT * FROM releases WHERE digest = ?', [digest]);
  return row === undefined ? undefined : releaseOf(row);
}

/** By digest or by app:version. @throws RELEASE_UNKNOWN */
export async function needRelease(tx: Tx, name: string): Promise<StoredRelease> {
  const at = name.indexOf(':');
  const row = isDigest(name)
    ? await tx.get('SELECT * FROM releases WHERE digest = ?', [name])
    : await tx.get('SELECT * FROM releases WHERE app = ? AND version = ?', [
        name.slice(0, Math.max(0, at)),
        name.slice(at + 1),
      ]);
  if (row !== undefined) return releaseOf(row);
  throw new CodedError('RELEASE_UNKNOWN', `there is no release ${name}`, { release: name });
}

/** Newest first; at most `limit`. */
export async function listReleases(
  tx: Tx,
  app: string | null,
  limit: number,
): Promise<StoredRelease[]> {
  const rows = await tx.all(
    'SELECT * FROM releases WHERE ?1 IS NULL OR app = ?1 ORDER BY uploadedAt DESC, counter DESC LIMIT ?2',
    [app, limit],
  );
  return rows.map(releaseOf);
}

/** What lies on the broker and what ought to: the releases that some device in service is assigned to. */
export async function retention(tx: Tx): Promise<{ needed: Digest[]; surplus: Digest[] }> {
  const rows = await tx.all<{ digest: Digest; retained: number; needed: number }>(
    `SELECT digest, retained, digest IN (
       SELECT a.release FROM assignments a JOIN devices d ON d.device = a.device
       WHERE d.revokedAt IS NULL AND a.release IS NOT NULL AND a.generation =
         (SELECT MAX(generation) FROM assignments b WHERE b.device = a.device)
     ) AS needed FROM releases WHERE retained = 1 OR digest IN (SELECT release FROM assignments)`,
  );
  return {
    needed: rows.filter((row) => row.needed === 1).map((row) => row.digest),
    surplus: rows.filter((row) => row.needed === 0 && row.retained === 1).map((row) => row.digest),
  };
}

export async function setRetained(tx: Tx, digest: Digest, retained: boolean): Promise<void> {
  await tx.run('UPDATE releases SET retained = ? WHERE digest = ?', [retained ? 1 : 0, digest]);
}

function releaseOf(row: Row): StoredRelease {
  return { ...(row as unknown as StoredRelease), retained: row['retained'] === 1 };
}
