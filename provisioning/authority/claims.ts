// SPDX-License-Identifier: Apache-2.0
// Claims: what lets an unknown device enrol. A claim has a secret that is shown once and kept as a hash, a
// count, an end and labels for the devices that come by it. Taking one is a single transaction, so that a
// secret in a hundred hands at once still lets in as many as it counts.

import { createHash, randomBytes } from 'node:crypto';
import { type Clock, instantOf, systemClock } from '../../adapters/clock.js';
import type { Db, Tx } from '../../adapters/sqlite.js';
import { CodedError } from '../../protocol/error.js';

/** SQL of the tables, one migration; the fleet's store puts it among its own. */
export const claimTables = `CREATE TABLE claims (
  id TEXT PRIMARY KEY,
  secret_hash BLOB NOT NULL UNIQUE,
  labels TEXT NOT NULL,
  count_max INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  revoked_at INTEGER
);
CREATE TABLE claim_uses (
  claim_id TEXT NOT NULL REFERENCES claims (id),
  key_hash TEXT NOT NULL,
  device TEXT,
  used_at INTEGER NOT NULL,
  PRIMARY KEY (claim_id, key_hash)
) WITHOUT ROWID`;

export interface Claim {
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly count: number;
  readonly countMax: number;
  readonly createdAt: string;
  readonly expiresAt: string;
  readonly state: 'open' | 'used' | 'expired' | 'revoked';
  /** The devices that came by it. */
  readonly devices: readonly string[];
}

export interface Taken {
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
  /** The device that this key became before, where the same request comes again. */
  readonly device: string | undefined;
}

export interface Claims {
  /** `count` 1 … 100000, default 1; `expiresMs` at most a year. The secret is not kept. */
  create(order: {
    count?: number;
    expiresMs: number;
    labels?: Readonly<Record<string, string>>;
  }): Promise<{ id: string; secret: string; expiresAt: string }>;
  list(): Promise<Claim[]>;
  /**
   * Counts the key against the claim; the same key again is not counted again.
   * @throws CLAIM_UNKNOWN, CLAIM_REVOKED, CLAIM_EXPIRED, CLAIM_USED
   */
  take(secret: string, keyHash: string): Promise<Taken>;
  /** Notes which device the key became; gives the one noted first. */
  settle(id: string, keyHash: string, device: string): Promise<string>;
  /** True where there was an open one. What enrolled by it stays enrolled. */
  revoke(id: string): Promise<boolean>;
}

const countMax = 100_000;
const expiresMsMax = 366 * 86_400_000;

interface Row {
  id: string;
  labels: string;
  count_max: number;
  created_at: number;
  expires_at: number;
  revoked_at: number | null;
  uses: number;
  devices: string | null;
}

const claimColumns = `SELECT id, labels, count_max, created_at, expires_at, revoked_at,
  (SELECT count(*) FROM claim_uses WHERE claim_id = id) AS uses,
  (SELECT group_concat(device, ' ') FROM claim_uses WHERE claim_id = id) AS devices FROM claims`;

export function openClaims(db: Db, clock: Clock = systemClock): Claims {
  return {
    create: async ({ count = 1, expiresMs, labels = {} }) => {
      if (!Number.isInteger(count) || count < 1 || count > countMax) {
        throw new CodedError('USAGE', `a claim counts 1 to ${countMax} devices, not ${count}`);
      }
      if (!(expiresMs > 0 && expiresMs <= expiresMsMax)) {
        throw new CodedError('USAGE', 'a claim lasts from now to a year from now');
      }
      const id = randomBytes(6).toString('hex');
      const secret = randomBytes(24).toString('base64url');
      const now = clock.now();
      await db.run(
        'INSERT INTO claims (id, secret_hash, labels, count_max, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)',
        [id, hashOf(secret), JSON.stringify(labels), count, now, now + expiresMs],
      );
      return { id, secret, expiresAt: instantOf(now + expiresMs) };
    },
    list: async () => {
      const rows = await db.all<Row>(`${claimColumns} ORDER BY created_at, id`);
      return rows.map((row) => claimOf(row, clock.now()));
    },
    take: (secret, keyHash) => db.transaction((tx) => take(tx, secret, keyHash, clock.now())),
    settle: (id, keyHash, device) =>
      db.transaction(async (tx) => {
        await tx.run(
          'UPDATE claim_uses SET device = ? WHERE claim_id = ? AND key_hash = ? AND device IS NULL',
          [device, id, keyHash],
        );
        const row = await tx.get<{ device: string | null }>(
          'SELECT device FROM claim_uses WHERE claim_id = ? AND key_hash = ?',
          [id, keyHash],
        );
        return row?.device ?? device;
      }),
    revoke: async (id) => {
      const { changes } = await db.run(
        'UPDATE claims SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL',
        [clock.now(), id],
      );
      return changes > 0;
    },
  };
}

async function take(tx: Tx, secret: string, keyHash: string, now: number): Promise<Taken> {
  const row = await tx.get<Row>(`${claimColumns} WHERE secret_hash = ?`, [hashOf(secret)]);
  if (row === undefined) throw refusal('CLAIM_UNKNOWN', 'the fleet knows no such claim');
  const facts = { claim: row.id };
  if (row.revoked_at !== null) throw refusal('CLAIM_REVOKED', `claim ${row.id} is revoked`, facts);
  const labels = JSON.parse(row.labels) as Record<string, string>;
  const before = await tx.get<{ device: string | null }>(
    'SELECT device FROM claim_uses WHERE claim_id = ? AND key_hash = ?',
    [row.id, keyHash],
  );
  // The answer may have been lost on the way; asking again is no second use, also after the end.
  if (before !== undefined) return { id: row.id, labels, device: before.device ?? undefined };
  if (now >= row.expires_at) {
    const ended = instantOf(row.expires_at);
    throw refusal('CLAIM_EXPIRED', `claim ${row.id} ended ${ended}`, facts);
  }
  if (row.uses >= row.count_max) {
    throw refusal(
      'CLAIM_USED',
      `claim ${row.id} has let in ${row.uses} of ${row.count_max}`,
      facts,
    );
  }
  await tx.run('INSERT INTO claim_uses (claim_id, key_hash, used_at) VALUES (?, ?, ?)', [
    row.id,
    keyHash,
    now,
  ]);
  return { id: row.id, labels, device: undefined };
}

function claimOf(row: Row, now: number): Claim {
  return {
    id: row.id,
    labels: JSON.parse(row.labels) as Record<string, string>,
    count: row.uses,
    countMax: row.count_max,
    createdAt: instantOf(row.created_at),
    expiresAt: instantOf(row.expires_at),
    state: stateOf(row, now),
    devices: row.devices?.split(' ') ?? [],
  };
}

function stateOf(row: Row, now: number): Claim['state'] {
  if (row.revoked_at !== null) return 'revoked';
  if (row.uses >= row.count_max) return 'used';
  return now >= row.expires_at ? 'expired' : 'open';
}

/** 192 random bits need no salt and no slow hash. */
function hashOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}

function refusal(
  code: 'CLAIM_UNKNOWN' | 'CLAIM_REVOKED' | 'CLAIM_EXPIRED' | 'CLAIM_USED',
  message: string,
  facts: Record<string, string> = {},
): CodedError {
  return new CodedError(code, message, facts);
}
