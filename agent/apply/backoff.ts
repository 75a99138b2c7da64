// SPDX-License-Identifier: Apache-2.0
// When a failed step may be tried again: doubled from attempt to attempt, with jitter, so that a fleet that
// lost its registry does not come back as one.

import { type Code, entryOf } from '../../protocol/codes.js';
import type { Backoff } from '../plan/observed.js';

export const backoffMsMin = 1000;
export const backoffMsMax = 5 * 60_000;
/** Of codes that say `soon`. */
const soonMsMax = 10_000;
/** Without a failure for so long after the delay, the count begins anew. */
const forgetMs = 10 * 60_000;
/** The delay is spread over ± so much of itself. */
const jitter = 0.25;

/** `chance`: 0 to 1, where in the spread. */
export function nextBackoff(
  before: Backoff | undefined,
  failure: { subject: string; code: Code; message: string },
  nowMs: number,
  chance: number,
): Backoff {
  const isFresh = before === undefined || nowMs > before.notBeforeMs + forgetMs;
  const attempts = isFresh ? 1 : before.attempts + 1;
  const max = entryOf(failure.code).retry === 'soon' ? soonMsMax : backoffMsMax;
  const delayMs = Math.min(max, backoffMsMin * 2 ** Math.min(attempts - 1, 20));
  const spread = 1 + jitter * (2 * chance - 1);
  return { ...failure, attempts, notBeforeMs: Math.ceil(nowMs + delayMs * spread) };
}
