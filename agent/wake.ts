// SPDX-License-Identifier: Apache-2.0
// What wakes the loop: a bell that anybody may ring, and the time that the plan waits for. Rings between two
// waits are one ring; a ring during the loop's work ends the next wait at once, so that none is lost.

import type { Clock } from '../adapters/clock.js';

export interface Bell {
  ring(): void;
  /** Resolves when rung, at `untilMs` (monotonic), or when the signal aborts; never rejects. */
  wait(untilMs: number, signal: AbortSignal): Promise<void>;
}

export function openBell(clock: Clock): Bell {
  let isRung = false;
  let wake: (() => void) | undefined;
  return {
    ring: () => {
      isRung = true;
      wake?.();
    },
    wait: async (untilMs, signal) => {
      if (!isRung && !signal.aborted) {
        await new Promise<void>((resolve) => {
          const delayMs = Math.max(0, Math.ceil(untilMs - clock.monotonicMs()));
          const timer = setTimeout(resolve, delayMs);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
          signal.addEventListener('abort', wake, { once: true });
        });
        if (wake !== undefined) signal.removeEventListener('abort', wake);
        wake = undefined;
      }
      isRung = false;
    },
  };
}
