// SPDX-License-Identifier: Apache-2.0
// Time from outside: the wall clock for people and documents, the monotonic clock for every duration.
// Devices boot in 1970 and jump by years, so nothing may subtract two wall times to get a duration.

import { setTimeout as delay } from 'node:timers/promises';

export interface Clock {
  /** Wall clock, ms since 1970. */
  now(): number;
  /** Monotonic of this boot, ms: it goes on where another process of the same boot read it. */
  monotonicMs(): number;
  /** Resolves after `ms`; rejects with the signal's reason. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => {
    const [seconds, nanoseconds] = process.hrtime();
    return seconds * 1000 + nanoseconds / 1e6;
  },
  sleep: (ms, signal) => delay(ms, undefined, signal === undefined ? {} : { signal }),
};

/** RFC 3339 in UTC with milliseconds, as every document of ours carries it. */
export function instantOf(ms: number): string {
  return new Date(ms).toISOString();
}
