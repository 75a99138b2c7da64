// SPDX-License-Identifier: Apache-2.0
// Gives a device that came late what the others have: reads the facts, asks rollout/catch-up.ts, assigns.

import { instantOf } from '../../adapters/clock.js';
import type { Tx } from '../../adapters/sqlite.js';
import { catchUp } from '../rollout/catch-up.js';
import type { StoredAssignment } from '../store/assignments.js';
import { type Device, matches } from '../store/devices.js';
import { addEvent } from '../store/events.js';
import { activePlaces, provenRollouts } from '../store/rollouts.js';
import { assignRelease } from './assign.js';
import type { Signing } from './sign.js';

/** For a device without an assignment, in service. Call it inside a transaction. */
export async function catchUpDevice(
  tx: Tx,
  { device, labels }: Device,
  signing: Signing,
  nowMs: number,
): Promise<StoredAssignment | undefined> {
  const rollouts = await provenRollouts(tx);
  const given = catchUp({
    hasAssignment: false,
    hasPlace: (await activePlaces(tx, device)).some(({ outcome }) => outcome !== 'excluded'),
    rollouts: rollouts.map(({ selector, ...one }) => ({
      ...one,
      isSelected: matches(labels, selector),
    })),
  });
  if (given === undefined) return undefined;
  const { release, rollout } = given;
  const assignment = await assignRelease(tx, signing, { device, release, rollout }, nowMs);
  const { generation } = assignment;
  const at = instantOf(nowMs);
  await addEvent(tx, { type: 'caughtUp', device, rollout, release, generation, at });
  return assignment;
}
