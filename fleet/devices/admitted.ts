// SPDX-License-Identifier: Apache-2.0
// Which devices may speak to the fleet, at hand: the broker and the API ask on every message. The database has
// the truth; this is filled from it at start and told of each change.
// INVARIANT: it lists who is in service, never who is not: a database that lost its rows lets nobody in, and a
// name that was given anew lets in its new key alone.

import type { Db } from '../../adapters/sqlite.js';
import { admittedDevices } from '../store/devices.js';

export interface Admitted {
  has(device: string, keyHash: string): boolean;
  add(device: string, keyHash: string): void;
  remove(device: string): void;
}

export async function openAdmitted(db: Db): Promise<Admitted> {
  const known = await admittedDevices(db);
  const keys = new Map(known.map(({ device, keyHash }) => [device, keyHash]));
  return {
    has: (device, keyHash) => keys.get(device) === keyHash,
    add: (device, keyHash) => {
      keys.set(device, keyHash);
    },
    remove: (device) => {
      keys.delete(device);
    },
  };
}
