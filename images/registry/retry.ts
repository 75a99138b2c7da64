// SPDX-License-Identifier: Apache-2.0
// How often and when something is tried again: exponential steps with full jitter, at least what the registry
// asks for with Retry-After, bounded in count and in time. Waiting longer is the loop's affair, not ours.

import type { Clock } from '../../adapters/clock.js';
import { CodedError } from '../../protocol/error.js';
import { isPassing } from './failure.js';

export interface RetryRule {
  /** All attempts, the first included. */
  readonly attemptCountMax: number;
  readonly firstMs: number;
  readonly stepMsMax: number;
  /** A registry that asks for a longer wait than this is taken at its word: the attempt fails. */
  readonly askedMsMax: number;
}

export const usualRetry: RetryRule = {
  attemptCountMax: 5,
  firstMs: 500,
  stepMsMax: 15_000,
  askedMsMax: 60_000,
};

/** Full jitter, but never less than a tenth: nothing may spin. */
export function delayMs(rule: RetryRule, attempt: number, random: number): number {
  const step = Math.min(rule.stepMsMax, rule.firstMs * 2 ** (attempt - 1));
  return Math.round(step * (0.1 + 0.9 * random));
}

/** Retry-After in ms: seconds or an HTTP date (RFC 9110 §10.2.3); undefined for anything else. */
export function retryAfterMs(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}

/** Runs `work` until it succeeds, fails for good or the attempts are used up. */
export async function withRetry<T>(
  work: () => Promise<T>,
  options: { rule: RetryRule; clock: Clock; signal?: AbortSignal | undefined },
): Promise<T> {
  const { rule, clock, signal } = options;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      const waitMs = Math.max(askedMs(error), delayMs(rule, attempt, Math.random()));
      const isOver =
        attempt >= rule.attemptCountMax || waitMs > Math.max(rule.askedMsMax, rule.stepMsMax);
      if (!isPassing(error) || isOver) throw error;
      await clock.sleep(waitMs, signal);
    }
  }
}

function askedMs(error: unknown): number {
  const asked = error instanceof CodedError ? error.facts['retryAfterMs'] : undefined;
  return typeof asked === 'number' ? asked : 0;
}
