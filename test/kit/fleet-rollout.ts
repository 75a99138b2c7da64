// SPDX-License-Identifier: Apache-2.0
// Builders of rollout facts, and a model of a fleet on which steps can be done without a database.

import type { DeviceFact, RolloutFacts, RolloutStep } from '../../fleet/rollout/facts.js';
import type { Digest } from '../../protocol/name.js';

export const releaseDigest: Digest = `sha256:${'a'.repeat(64)}`;

export function aDevice(device: string, changed: Partial<DeviceFact> = {}): DeviceFact {
  return {
    device,
    wave: 0,
    rank: 0,
    assignedAtMs: null,
    outcome: 'waiting',
    goodAtMs: null,
    code: null,
    message: null,
    ...changed,
  };
}

/** A rollout over waves of named devices, nothing opened yet. */
export function aRollout(
  waves: ReadonlyArray<readonly string[]>,
  changed: Partial<RolloutFacts> = {},
): RolloutFacts {
  let rank = 0;
  return {
    nowMs: 0,
    release: releaseDigest,
    state: 'running',
    bakeMs: 100,
    deadlineMs: 1000,
    inFlightMax: 1000,
    resumedAtMs: null,
    waves: waves.map(() => ({ openedAtMs: null, passedAtMs: null })),
    devices: waves.flatMap((names, wave) =>
      names.map((name) => aDevice(name, { wave, rank: rank++ })),
    ),
    ...changed,
  };
}

/** The facts after a step, as the store would have them. */
export function after(facts: RolloutFacts, step: RolloutStep): RolloutFacts {
  const { nowMs } = facts;
  const wave = (at: number, change: object): RolloutFacts => ({
    ...facts,
    waves: facts.waves.map((one, index) => (index === at ? { ...one, ...change } : one)),
  });
  switch (step.kind) {
    case 'openWave':
      return wave(step.wave, { openedAtMs: nowMs });
    case 'passWave':
      return wave(step.wave, { passedAtMs: nowMs });
    case 'assign':
      return withDevice(facts, step.device, { assignedAtMs: nowMs });
    case 'pause':
      return { ...facts, state: 'paused' };
    case 'fail':
      return { ...facts, state: 'failed' };
    case 'finish':
      return { ...facts, state: 'succeeded' };
    case 'wait':
      return facts;
    default:
      return step satisfies never;
  }
}

export function withDevice(
  facts: RolloutFacts,
  device: string,
  change: Partial<DeviceFact>,
): RolloutFacts {
  return {
    ...facts,
    devices: facts.devices.map((one) => (one.device === device ? { ...one, ...change } : one)),
  };
}
