// SPDX-License-Identifier: Apache-2.0
// What a rollout is decided from: plain JSON, `nowMs` included. The plan (which device is in which wave) was
// frozen at the start; everything else is what has happened since.

import type { Code } from '../../protocol/codes.js';
import type { Digest } from '../../protocol/name.js';

export type RolloutState = 'running' | 'paused' | 'aborted' | 'failed' | 'succeeded';

/**
 * waiting: assigned or not yet, nothing final known. good: it said that the release passed its gate there.
 * failed: it said that the release failed there. excluded: revoked, or taken over by a newer rollout.
 */
export type Outcome = 'waiting' | 'good' | 'failed' | 'excluded';

export interface DeviceFact {
  readonly device: string;
  /** 0 = canary. */
  readonly wave: number;
  /** Place in the order of assignment, unique in the rollout. */
  readonly rank: number;
  /** null = not assigned yet. */
  readonly assignedAtMs: number | null;
  readonly outcome: Outcome;
  /** When it became good. */
  readonly goodAtMs: number | null;
  /** Of the failure, or of the trouble that keeps it waiting. */
  readonly code: string | null;
  /** What the device said beside the code. */
  readonly message: string | null;
}

export interface WaveFact {
  readonly openedAtMs: number | null;
  readonly passedAtMs: number | null;
}

export interface RolloutFacts {
  readonly nowMs: number;
  readonly release: Digest;
  readonly state: RolloutState;
  /** How long all of a wave must stay good before the next one opens. */
  readonly bakeMs: number;
  /** From the assignment to good; past it a silent device has failed. */
  readonly deadlineMs: number;
  /** Devices that are assigned and not good at one time. */
  readonly inFlightMax: number;
  /** When an operator last resumed it: deadlines start anew there. */
  readonly resumedAtMs: number | null;
  readonly waves: readonly WaveFact[];
  readonly devices: readonly DeviceFact[];
}

export type WaveState = 'pending' | 'offering' | 'baking' | 'passed' | 'paused' | 'failed';

export interface StepKinds {
  openWave: { wave: number };
  assign: { device: string; wave: number; release: Digest };
  passWave: { wave: number };
  pause: { wave: number; code: Code; message: string };
  fail: {
    wave: number;
    code: Code;
    message: string;
    /** The device that failed and its own code. */
    facts: { device: string; cause: string; wave: number };
  };
  finish: { release: Digest };
  /** Nothing to do before `untilMs`; null = until something is reported. */
  wait: { untilMs: number | null };
}

export type StepKind = keyof StepKinds;
export type RolloutStep = { [K in StepKind]: { kind: K } & StepKinds[K] }[StepKind];

/** The step in a person's words; tests and the log read these. */
export function describe(step: RolloutStep): string {
  switch (step.kind) {
    case 'openWave':
      return `open wave ${step.wave}`;
    case 'assign':
      return `assign ${step.device} (wave ${step.wave})`;
    case 'passWave':
      return `pass wave ${step.wave}`;
    case 'pause':
      return `pause: ${step.code}: ${step.message}`;
    case 'fail':
      return `fail: ${step.code}: ${step.message}`;
    case 'finish':
      return 'finish';
    case 'wait':
      return step.untilMs === null ? 'wait for reports' : `wait until ${step.untilMs}`;
    default:
      return step satisfies never;
  }
}
