// SPDX-License-Identifier: Apache-2.0
// Which devices may speak to the fleet, at hand: the broker and the API ask on every message. The database has
// the truth; this is filled from it at start and told of each change.
// INVARIANT: it lists who is in service, never who is not: a database that lost its rows lets nobody in, and a
// name that was given anew lets in its new key alone. While a device changes its key by renewal, it has two.

import type { Db } from '../../adapters/sqlite.js';
import { admittedDevices } from '../store/devices.js';

export interface Admitted {
  has(device: string, keyHash: string): boolean;
  /** Its key at enrolment; one from before is no longer its own. */
  add(device: string, keyHash: string): void;
  renewed(device: string, keys: { asked: string; fresh: string }): void;
  remove(device: string): void;
}

export async function openAdmitted(db: Db): Promise<Admitted> {
  const known = await admittedDevices(db);
  const keys = new Map(known.map((one) => [one.device, one.keyHashes]));
  return {
    has: (device, keyHash) => keys.get(device)?.includes(keyHash) === true,
    add: (device, keyHash) => {
      keys.set(device, [keyHash]);
    },
    renewed: (device, { asked, fresh }) => {
      if (keys.has(device)) keys.set(device, [asked, fresh]);
    },
    remove: (device) => {
      keys.delete(device);
    },
  };
}
