// SPDX-License-Identifier: Apache-2.0
// The fleet's database in a temp folder, with devices in it.

import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { type Db, openDb } from '../../adapters/sqlite.js';
import { enrolDevice } from '../../fleet/store/devices.js';
import { migrations } from '../../fleet/store/schema.js';
import { tempFolder } from './fleet-server.js';

export async function aStore(t: ExecutionContext, ...devices: string[]): Promise<Db> {
  const { db } = await openDb(join(await tempFolder(t), 'fleet.db'), migrations);
  t.teardown(() => db.close());
  for (const name of devices) await addDevice(db, name);
  return db;
}

export function addDevice(
  db: Db,
  name: string,
  labels: Record<string, string> = {},
): Promise<string> {
  const asked = { keyHash: `key of ${name}`, name, serial: undefined, labels };
  return db.transaction((tx) => enrolDevice(tx, asked, 1));
}
