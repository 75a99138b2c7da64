// SPDX-License-Identifier: Apache-2.0
// catchUp(facts) → what a device gets that came too late for the rollouts there were: enrolled, or labelled
// into the selector, after the plan was frozen. Pure. Such a device is in no wave and counts for no gate.

import type { Digest } from '../../protocol/name.js';
import type { RolloutState } from './facts.js';

export interface CatchUpRollout {
  readonly id: string;
  readonly release: Digest;
  readonly state: RolloutState;
  /** false = started with --no-catch-up. */
  readonly catchUp: boolean;
  /** The device has all labels of its selector. */
  readonly isSelected: boolean;
  readonly passedWaveCount: number;
}

export interface CatchUpFacts {
  /** It was given something already; even "run nothing" counts. */
  readonly hasAssignment: boolean;
  /** It waits for its wave in a rollout that goes on. */
  readonly hasPlace: boolean;
  /** Newest first. */
  readonly rollouts: readonly CatchUpRollout[];
}

/** undefined: nothing is given. The newest rollout whose release has proven itself decides, also by its no. */
export function catchUp(facts: CatchUpFacts): { rollout: string; release: Digest } | undefined {
  if (facts.hasAssignment || facts.hasPlace) return undefined;
  const proven = facts.rollouts.find((one) => one.isSelected && isProven(one));
  if (proven === undefined || !proven.catchUp) return undefined;
  return { rollout: proven.id, release: proven.release };
}

/** It succeeded, or goes on and has passed a wave: the device is as one of that wave. */
function isProven({ state, passedWaveCount }: CatchUpRollout): boolean {
  return state === 'succeeded' || (state === 'running' && passedWaveCount > 0);
}
