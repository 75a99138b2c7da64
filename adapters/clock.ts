// SPDX-License-Identifier: Apache-2.0
// Time from outside: the wall clock for people and documents, the monotonic clock for every duration.
// Devices boot in 1970 and jump by years, so nothing may subtract two wall times to get a duration.

import { setTimeout as delay } from 'node:timers/promises';

export interface Clock {
  /** Wall clock, ms since 1970. */
  now(): number;
  /** Monotonic, ms since an arbitrary start. */
  monotonicMs(): number;
  /** Resolves after `ms`; rejects with the signal's reason. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) => delay(ms, undefined, signal === undefined ? {} : { signal }),
};

/** RFC 3339 in UTC with milliseconds, as every document of ours carries it. */
export function instantOf(ms: number): string {
  return new Date(ms).toISOString();
}
