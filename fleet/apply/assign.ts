// SPDX-License-Identifier: Apache-2.0
// Gives a device its next assignment: signed and stored together. Publishing is the loop's.

import type { Tx } from '../../adapters/sqlite.js';
import type { Digest } from '../../protocol/name.js';
import { assign, type StoredAssignment } from '../store/assignments.js';
import { needRelease } from '../store/releases.js';
import { variablesFor } from '../store/variables.js';
import { type Signing, signAssignment } from './sign.js';

/** null = run nothing. Call it inside a transaction. @throws RELEASE_UNKNOWN */
export async function assignRelease(
  tx: Tx,
  signing: Signing,
  wanted: { device: string; release: Digest | null; rollout: string | null },
  nowMs: number,
): Promise<StoredAssignment> {
  const { device, rollout } = wanted;
  const stored = wanted.release === null ? null : await needRelease(tx, wanted.release);
  const release =
    stored === null ? null : { digest: stored.digest, app: stored.app, counter: stored.counter };
  const variables = wanted.release === null ? {} : await variablesFor(tx, device);
  return assign(
    tx,
    { device, epoch: signing.epoch, release: wanted.release, rollout },
    (generation) =>
      signAssignment(signing, { device, generation, release, rollout, variables }, nowMs),
    nowMs,
  );
}
