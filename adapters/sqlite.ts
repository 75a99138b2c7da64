// SPDX-License-Identifier: Apache-2.0
// SQLite behind one writer queue. sqlite3's statements run on a pool, so two async flows would interleave
// inside one BEGIN; here every write waits its turn, and a transaction holds the turn to its end.
// WAL with synchronous=FULL: what was acknowledged survives a power cut, if the medium honours flush.
// A migration keeps a copy of the database as it was (NAME.before-vN), so that the previous program can come back.

import { existsSync, statfsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import sqlite3 from 'sqlite3';
import { CodedError, messageOf } from '../protocol/error.js';

/** Less than this cannot hold SQLite's shared memory (32 KiB) and a page. */
const fullBytes = 64 * 1024;

export type Value = string | number | null | Buffer;
export type Row = Record<string, Value>;

export interface Tx {
  run(sql: string, params?: readonly Value[]): Promise<{ changes: number; lastId: number }>;
  get<T = Row>(sql: string, params?: readonly Value[]): Promise<T | undefined>;
  all<T = Row>(sql: string, params?: readonly Value[]): Promise<T[]>;
}

export interface Db extends Tx {
  /** Runs `work` alone, in one transaction; throws what it throws, after a ROLLBACK. Do not nest. */
  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  /** Waits for the queue, checkpoints and closes. */
  close(): Promise<void>;
}

/** The SQL that brings the schema from version i to i + 1; only ever appended to. */
export type Migrations = readonly string[];

/**
 * Opens or makes the database. A file that is not a sound database is moved aside as NAME.corrupt and a new
 * one is made; `recovered` says so. With `damaged: 'refuse'` it stays where it is.
 * @throws STORE_CORRUPT if it is of a newer version, or damaged and refused (then with a cause); NO_SPACE
 */
export async function openDb(
  path: string,
  migrations: Migrations,
  options: { damaged?: 'renew' | 'refuse' } = {},
): Promise<{ db: Db; recovered: boolean }> {
  try {
    return { db: await openOnce(path, migrations), recovered: false };
  } catch (error) {
    const mayRenew = options.damaged !== 'refuse' && isCorruption(error) && existsSync(path);
    if (!mayRenew) throw sqliteError(error, path);
    await rename(path, `${path}.corrupt`);
    for (const suffix of ['-wal', '-shm']) await rm(path + suffix, { force: true });
    return { db: await openOnce(path, migrations), recovered: true };
  }
}

async function openOnce(path: string, migrations: Migrations): Promise<Db> {
  const handle = await new Promise<sqlite3.Database>((resolve, reject) => {
    const database: sqlite3.Database = new sqlite3.Database(path, (error) => {
      if (error === null) resolve(database);
      else reject(error);
    });
  });
  const db = new QueuedDb(handle, path);
  try {
    await db.all('PRAGMA journal_mode = WAL');
    await db.run('PRAGMA synchronous = FULL');
    await db.run('PRAGMA foreign_keys = ON');
    await db.run('PRAGMA busy_timeout = 5000');
    const check = await db.get<{ quick_check: string }>('PRAGMA quick_check(1)');
    if (check?.quick_check !== 'ok') {
      throw Object.assign(new Error(String(check?.quick_check)), { code: 'SQLITE_CORRUPT' });
    }
    await migrate(db, path, migrations);
    return db;
  } catch (error) {
    await db.close();
    throw error;
  }
}

async function migrate(db: Db, path: string, migrations: Migrations): Promise<void> {
  const row = await db.get<{ user_version: number }>('PRAGMA user_version');
  const version = row?.user_version ?? 0;
  if (version > migrations.length) {
    throw new CodedError(
      'STORE_CORRUPT',
      `${path} is of version ${version}, this program knows ${migrations.length}: use the newer program, or put ${path}.before-v${version} back`,
      { path, version },
    );
  }
  if (version === migrations.length) return;
  if (version > 0) await keepCopy(db, `${path}.before-v${version + 1}`);
  for (let at = version; at < migrations.length; at += 1) {
    await db.transaction(async (tx) => {
      for (const sql of (migrations[at] ?? '').split(/;\s*\n/)) {
        if (sql.trim() !== '') await tx.run(sql);
      }
      await tx.run(`PRAGMA user_version = ${at + 1}`);
    });
  }
}

async function keepCopy(db: Db, copy: string): Promise<void> {
  await rm(copy, { force: true });
  await db.run('VACUUM INTO ?', [copy]);
}

class QueuedDb implements Db {
  readonly #handle: sqlite3.Database;
  readonly #path: string;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(handle: sqlite3.Database, path: string) {
    this.#handle = handle;
    this.#path = path;
  }

  run(sql: string, params: readonly Value[] = []): Promise<{ changes: number; lastId: number }> {
    return this.#queue(() => this.#tx.run(sql, params));
  }

  get<T = Row>(sql: string, params: readonly Value[] = []): Promise<T | undefined> {
    return this.#queue(() => this.#tx.get<T>(sql, params));
  }

  all<T = Row>(sql: string, params: readonly Value[] = []): Promise<T[]> {
    return this.#queue(() => this.#tx.all<T>(sql, params));
  }

  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    return this.#queue(async () => {
      await this.#tx.run('BEGIN IMMEDIATE');
      try {
        const result = await work(this.#tx);
        await this.#tx.run('COMMIT');
        return result;
      } catch (error) {
        // A failed COMMIT may have ended the transaction itself; then ROLLBACK has nothing to do.
        await this.#tx.run('ROLLBACK').catch(() => undefined);
        throw error;
      }
    });
  }

  async close(): Promise<void> {
    await this.#queue(
      () =>
        new Promise<void>((resolve, reject) => {
          this.#handle.close((error) => (error === null ? resolve() : reject(error)));
        }),
    );
  }

  #queue<T>(job: () => Promise<T>): Promise<T> {
    const done = this.#tail.then(job);
    this.#tail = done.catch(() => undefined);
    return done;
  }

  readonly #tx: Tx = {
    run: (sql, params = []) =>
      new Promise((resolve, reject) => {
        const path = this.#path;
        this.#handle.run(sql, [...params], function onRun(this: sqlite3.RunResult, error) {
          if (error === null) resolve({ changes: this.changes, lastId: this.lastID });
          else reject(sqliteError(error, path));
        });
      }),
    get: <T>(sql: string, params: readonly Value[] = []) =>
      new Promise<T | undefined>((resolve, reject) => {
        this.#handle.get(sql, [...params], (error, row) => {
          if (error === null) resolve(row as T | undefined);
          else reject(sqliteError(error, this.#path));
        });
      }),
    all: <T>(sql: string, params: readonly Value[] = []) =>
      new Promise<T[]>((resolve, reject) => {
        this.#handle.all(sql, [...params], (error, rows) => {
          if (error === null) resolve(rows as T[]);
          else reject(sqliteError(error, this.#path));
        });
      }),
  };
}

function isCorruption(error: unknown): boolean {
  const cause = error instanceof CodedError ? error.cause : error;
  return ['SQLITE_CORRUPT', 'SQLITE_NOTADB'].includes(String((cause as { code?: string })?.code));
}

/** SQLite says only `disk I/O error` where even its shared memory file finds no room. */
function isFull(path: string): boolean {
  if (!existsSync(dirname(path))) return false;
  const { bavail, bsize } = statfsSync(dirname(path));
  return bavail * bsize < fullBytes;
}

function sqliteError(error: unknown, path: string): unknown {
  if (error instanceof CodedError) return error;
  const code = (error as { code?: string }).code;
  const isShut = code === 'SQLITE_CANTOPEN' || code === 'SQLITE_READONLY';
  if (code === 'SQLITE_FULL' || ((isShut || code === 'SQLITE_IOERR') && isFull(path))) {
    return new CodedError('NO_SPACE', `no space left for ${path}`, { path }, { cause: error });
  }
  if (isShut && process.getuid?.() !== 0) {
    const message = `${path} may not be used by this user`;
    return new CodedError('NOT_ROOT', message, { path }, { cause: error });
  }
  if (isShut || ['SQLITE_CORRUPT', 'SQLITE_NOTADB', 'SQLITE_IOERR'].includes(String(code))) {
    return new CodedError(
      'STORE_CORRUPT',
      `${path}: ${messageOf(error)}`,
      { path },
      { cause: error },
    );
  }
  return error;
}
