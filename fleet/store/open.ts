// SPDX-License-Identifier: Apache-2.0
// Opens the fleet's database. It knows who was revoked and what every device was given: where it is damaged or
// gone, the server does not go on as if nothing had been, unless the operator says so in as many words.

import { stat } from 'node:fs/promises';
import { errnoOf } from '../../adapters/durable.js';
import { type Db, openDb } from '../../adapters/sqlite.js';
import { CodedError } from '../../protocol/error.js';
import { migrations } from './schema.js';

/**
 * `isFirst`: the fleet has never run here, so that no database is as it should be. With `acceptEmpty` a damaged
 * one is kept as NAME.corrupt and a new one is made; without it nothing is touched.
 * @throws SERVE_DATABASE, STORE_CORRUPT if it is of a newer version, NO_SPACE
 */
export async function openFleetDb(
  path: string,
  how: { isFirst: boolean; acceptEmpty: boolean },
): Promise<{ db: Db; recovered: boolean }> {
  if (how.acceptEmpty) return openDb(path, migrations);
  if (!how.isFirst && (await bytesOf(path)) === 0) throw lost(path, 'is gone or empty');
  try {
    return await openDb(path, migrations, { damaged: 'refuse' });
  } catch (error) {
    const isDamage =
      error instanceof CodedError && error.code === 'STORE_CORRUPT' && error.cause !== undefined;
    throw isDamage ? lost(path, 'is damaged', error) : error;
  }
}

function lost(path: string, what: string, cause?: unknown): CodedError {
  const message = `${path} ${what}: put a copy back, or start once with --accept-empty-database; then every device must enrol again`;
  return new CodedError('SERVE_DATABASE', message, { path }, cause === undefined ? {} : { cause });
}

async function bytesOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 0;
    throw error;
  }
}
