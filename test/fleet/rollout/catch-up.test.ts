// SPDX-License-Identifier: Apache-2.0
// What a device gets that came after the plan: the newest release that has proven itself, or nothing.

import test from 'ava';
import {
  type CatchUpFacts,
  type CatchUpRollout,
  catchUp,
} from '../../../fleet/rollout/catch-up.js';
import type { Digest } from '../../../protocol/name.js';

const digestN = (n: number): Digest => `sha256:${String(n).padStart(64, '0')}`;

function aRollout(n: number, changed: Partial<CatchUpRollout> = {}): CatchUpRollout {
  return {
    id: `r-${n}`,
    release: digestN(n),
    state: 'succeeded',
    catchUp: true,
    isSelected: true,
    passedWaveCount: 2,
    ...changed,
  };
}

const given = (
  rollouts: CatchUpRollout[],
  changed: Partial<CatchUpFacts> = {},
): string | undefined =>
  catchUp({ hasAssignment: false, hasPlace: false, rollouts, ...changed })?.rollout;

test('the newest rollout that succeeded for its labels is what a late device gets', (t) => {
  t.is(given([aRollout(3, { isSelected: false }), aRollout(2), aRollout(1)]), 'r-2');
  t.is(given([]), undefined);
});

test('one that runs counts from its first passed wave on', (t) => {
  t.is(given([aRollout(2, { state: 'running', passedWaveCount: 0 }), aRollout(1)]), 'r-1');
  t.is(given([aRollout(2, { state: 'running', passedWaveCount: 1 }), aRollout(1)]), 'r-2');
});

test('what failed, is paused or was aborted is given to nobody', (t) => {
  for (const state of ['failed', 'paused', 'aborted'] as const) {
    t.is(given([aRollout(2, { state }), aRollout(1)]), 'r-1');
  }
});

test('a device that was given something, or waits for its wave, is left alone', (t) => {
  t.is(given([aRollout(1)], { hasAssignment: true }), undefined);
  t.is(given([aRollout(1)], { hasPlace: true }), undefined);
});

test('--no-catch-up of the newest means nothing, and not an older release', (t) => {
  t.is(given([aRollout(2, { catchUp: false }), aRollout(1)]), undefined);
});
