// SPDX-License-Identifier: Apache-2.0
// Who may come to an outside broker: written by the fleet server beside its database, read by
// `wherry-provision broker-config`.

import { array, type Checked, object } from './check.js';
import { deviceId, tenant } from './name.js';

const deviceCountMax = 1_000_000;
/** Of the file. */
export const rosterBytesMax = 80 * deviceCountMax;

export const roster = object({
  tenant,
  /** In service. */
  devices: array(deviceId, deviceCountMax),
  /** Their certificates may still be good; they are to be kept out. */
  revoked: array(deviceId, deviceCountMax),
});
export type Roster = Checked<typeof roster>;
