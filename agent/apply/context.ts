// SPDX-License-Identifier: Apache-2.0
// What an executor works with.

import type { Clock } from '../../adapters/clock.js';
import type { Log } from '../../adapters/log.js';
import type { Event } from '../../protocol/device.js';
import type { Step, StepKind } from '../plan/step.js';
import type { Pull, PullProgress } from '../pull/types.js';
import type { ContainerSpec, Run } from '../run/types.js';
import type { Store, StoredImage } from '../store/types.js';

/** What an event says beside who says it and when. */
export type EventFacts = Pick<Event, 'type' | 'release'> &
  Partial<Pick<Event, 'code' | 'message' | 'counts'>>;

export interface ApplyContext {
  readonly store: Store;
  readonly run: Run;
  readonly pull: Pull;
  readonly clock: Clock;
  readonly log: Log;
  /** Of an image that the store has; no network. */
  readonly configOf: (image: StoredImage) => Promise<ContainerSpec['config']>;
  /** An event with its sequence number, not yet put anywhere. */
  readonly eventOf: (facts: EventFacts) => Promise<Event>;
  readonly onProgress: (progress: PullProgress) => void;
  readonly signal: AbortSignal;
}

export type StepOf<K extends StepKind> = Extract<Step, { kind: K }>;
export type Executor<K extends StepKind> = (
  step: StepOf<K>,
  context: ApplyContext,
) => Promise<void>;

/** Messages on the wire have at most 1024 characters. */
export function clip(message: string): string {
  return message.length <= 1024 ? message : `${message.slice(0, 1023)}…`;
}
