// SPDX-License-Identifier: Apache-2.0
// What a device says: hello (on connect and every 15 min), reported (its whole state, on change), events
// (rollout transitions) and presence (birth and last will on one topic).

import {
  array,
  boolean,
  type Check,
  type Checked,
  instant,
  integer,
  nullable,
  object,
  oneOf,
  optional,
  record,
  string,
} from './check.js';
import type { Code } from './codes.js';
import { digest, workloadName } from './name.js';

const count = integer(0, Number.MAX_SAFE_INTEGER);
const id = string({ pattern: /^[A-Za-z0-9-]{1,64}$/, form: 'letters, digits and dashes' });
/** Codes of newer agents must pass, so the form is checked and not the word. */
const code = string({ pattern: /^[A-Z][A-Z0-9_]{1,63}$/, form: 'a code' }) as Check<string>;
const text = string({ lengthMax: 1024 });

export const hello = object({
  bootId: id,
  /** Grows with each message of this boot: hello, reported and event share it. */
  seq: count,
  /** The assignment last accepted; zero and null before the first. */
  epoch: count,
  generation: count,
  release: nullable(digest),
  /** Releases the assignment names and the device lacks: the fleet publishes them again. */
  missing: array(digest, 8),
  agent: string({ lengthMax: 64 }),
  platform: object({
    os: string({ lengthMax: 32 }),
    architecture: string({ lengthMax: 32 }),
    variant: optional(string({ lengthMax: 32 })),
  }),
  memoryBytes: count,
  at: instant,
});
export type Hello = Checked<typeof hello>;

export const condition = object({
  type: oneOf('Converged', 'Linked', 'Gate', 'Pulled', 'Disk'),
  status: oneOf('True', 'False', 'Unknown'),
  code: optional(code),
  message: optional(text),
  since: instant,
});
export type Condition = Checked<typeof condition>;

export const workloadState = oneOf(
  'created',
  'starting',
  'running',
  'restarting',
  'stopping',
  'exited',
  'failed',
);
export const healthState = oneOf('none', 'starting', 'healthy', 'unhealthy');

export const reported = object({
  bootId: id,
  seq: count,
  epoch: count,
  /** The desired that was last acted on; reaching it is the Converged condition. */
  observedGeneration: count,
  /** The release that runs; null = none. */
  release: nullable(digest),
  /** The last release that passed its gate. */
  good: nullable(digest),
  /** The release that failed here and why; it is not tried again. */
  failed: optional(object({ release: digest, code, message: text })),
  /** What is going on, in words of the plan: 'pull sha256:…'. */
  step: optional(text),
  /** 0–100 of the step, where it has a measure. */
  percent: optional(integer(0, 100)),
  conditions: array(condition, 16),
  workloads: array(
    object({
      name: workloadName,
      container: string({ lengthMax: 128 }),
      image: digest,
      state: workloadState,
      health: healthState,
      restartCount: count,
      memoryBytes: optional(count),
    }),
    64,
  ),
  at: instant,
});
export type Reported = Checked<typeof reported>;

export const event = object({
  bootId: id,
  seq: count,
  epoch: count,
  generation: count,
  release: nullable(digest),
  type: oneOf(
    'accepted',
    'refused',
    'pulling',
    'pulled',
    'switching',
    'gating',
    'good',
    'rolledBack',
    'failed',
  ),
  code: optional(code),
  message: optional(text),
  /** Counts worth keeping: bytesFetched, imageBytes, durationMs. */
  counts: optional(record(string({ lengthMax: 32 }), count, 16)),
  at: instant,
});
export type Event = Checked<typeof event>;

export const presence = object({ online: boolean, bootId: id, seq: count });
export type Presence = Checked<typeof presence>;

/** A condition's code as one of ours, where it is. */
export type ReportedCode = Code | string;
