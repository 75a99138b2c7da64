// SPDX-License-Identifier: Apache-2.0
// Every effect a plan can ask for, as JSON, and the sentence each one is called by. apply has one executor a
// kind; the compiler counts them.

import type { Code } from '../../protocol/codes.js';
import { type Digest, shortOf } from '../../protocol/name.js';
import type { Workload } from '../../protocol/release.js';
import type { Baseline } from './observed.js';

export interface StepKinds {
  /** Fetch and unpack an image, all of it, or nothing of it is kept as an image. */
  pull: { image: Digest; reference: string };
  /** Write the bundle of a container; it does not run yet. */
  create: { container: string; workload: Workload; spec: Digest; release: Digest };
  start: { container: string; workload: string };
  /** With `because` it is stopped to be started again, later each time it happens. */
  stop: {
    container: string;
    workload: string;
    graceMs: number;
    because?: { code: Code; message: string };
  };
  remove: { container: string };
  /** The release is switched to: its gate begins. */
  try: { release: Digest; from: Digest | null; baseline: readonly Baseline[] };
  /** All of the trial is well since now: the bake begins. */
  well: { release: Digest };
  /** It was well and no longer is: the bake will begin anew. */
  unwell: { release: Digest };
  /** The trial passed: it is the good release now. */
  commit: { release: Digest };
  /** The trial failed: it is remembered as failed, and the next plan returns to the good one. */
  fail: { release: Digest; code: Code; message: string };
  /** The good release runs whole again after another one failed. */
  back: { release: Digest; failed: Digest; code: Code; message: string };
  /** Nothing runs, as was asked: nothing is good or on trial any more. */
  empty: { release: null };
  prune: { image: Digest };
  /** Nothing to do now; look again at `untilMs` (monotonic) or when something changes. */
  wait: { code: Code; message: string; untilMs: number | null };
  /** The desired cannot be done here. */
  refuse: { release: Digest; code: Code; message: string };
}

export type StepKind = keyof StepKinds;
export type Step = { [K in StepKind]: { kind: K } & StepKinds[K] }[StepKind];

/** The step in a person's words; tests and the log read these. */
export function describe(step: Step): string {
  switch (step.kind) {
    case 'pull':
      return `pull ${step.reference} (${shortOf(step.image)})`;
    case 'create':
      return `create ${step.container}`;
    case 'start':
      return `start ${step.container}`;
    case 'stop':
      return `stop ${step.container}`;
    case 'remove':
      return `remove ${step.container}`;
    case 'try':
      return `try release ${shortOf(step.release)}`;
    case 'well':
      return `release ${shortOf(step.release)} is well, bake`;
    case 'unwell':
      return `release ${shortOf(step.release)} is not well, bake again`;
    case 'commit':
      return `commit release ${shortOf(step.release)}`;
    case 'fail':
      return `fail release ${shortOf(step.release)}: ${step.code}`;
    case 'back':
      return `back on release ${shortOf(step.release)}`;
    case 'empty':
      return 'run nothing';
    case 'prune':
      return `prune ${shortOf(step.image)}`;
    case 'wait':
      return `wait: ${step.message}`;
    case 'refuse':
      return `refuse release ${shortOf(step.release)}: ${step.code}`;
    default:
      return step satisfies never;
  }
}
