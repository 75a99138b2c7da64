// SPDX-License-Identifier: Apache-2.0
// Brings changed variables to the devices: each that is due gets its assignment again, with a new generation,
// where what it would carry differs from what it carries. The release and the rollout stay as they are.

import type { Tx } from '../../adapters/sqlite.js';
import { assignRelease } from '../apply/assign.js';
import { carriedVariables, type Signing } from '../apply/sign.js';
import { newestAssignment } from '../store/assignments.js';
import { findDevice } from '../store/devices.js';
import { takeDue, variablesFor } from '../store/variables.js';

/** Devices in one transaction, so that others get their turn. */
const countMax = 200;

export interface Refreshed {
  /** Devices whose desired must go out. */
  readonly assigned: readonly string[];
  /** There may be more. */
  readonly again: boolean;
}

/** Call it inside a transaction. */
export async function refreshVariables(
  tx: Tx,
  signing: Signing,
  nowMs: number,
): Promise<Refreshed> {
  const due = await takeDue(tx, countMax);
  const assigned: string[] = [];
  for (const device of due) {
    const newest = await newestAssignment(tx, device);
    const isOut = (await findDevice(tx, device))?.revokedAt !== null;
    if (newest === undefined || newest.release === null || isOut) continue;
    const wanted = JSON.stringify(await variablesFor(tx, device));
    if (wanted === JSON.stringify(carriedVariables(newest.envelope))) continue;
    const { release, rollout } = newest;
    await assignRelease(tx, signing, { device, release, rollout }, nowMs);
    assigned.push(device);
  }
  return { assigned, again: due.length === countMax };
}
