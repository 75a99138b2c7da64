// SPDX-License-Identifier: Apache-2.0
// Counts wrong claims by address, so that nobody tries secrets by the thousand. It knows monotonic time only
// and forgets the oldest address when it holds too many.

import { type Clock, systemClock } from '../../adapters/clock.js';
import { CodedError } from '../../protocol/error.js';

export interface Attempts {
  /** @throws CLAIM_LIMIT */
  check(address: string): void;
  failed(address: string): void;
}

const failuresMax = 10;
const windowMs = 600_000;
const addressesMax = 10_000;

export function openAttempts(clock: Clock = systemClock): Attempts {
  const seen = new Map<string, { sinceMs: number; count: number }>();
  return {
    check: (address) => {
      const entry = seen.get(keyOf(address));
      if (entry === undefined || clock.monotonicMs() - entry.sinceMs > windowMs) return;
      if (entry.count < failuresMax) return;
      throw new CodedError('CLAIM_LIMIT', `${entry.count} wrong claims came from ${address}`, {
        address,
      });
    },
    failed: (address) => {
      const key = keyOf(address);
      const now = clock.monotonicMs();
      const entry = seen.get(key);
      const isOld = entry === undefined || now - entry.sinceMs > windowMs;
      seen.delete(key);
      seen.set(key, isOld ? { sinceMs: now, count: 1 } : { ...entry, count: entry.count + 1 });
      const oldest = seen.keys().next().value;
      if (seen.size > addressesMax && oldest !== undefined) seen.delete(oldest);
    },
  };
}

/** One household has a /64 of IPv6, so that is one address. */
function keyOf(address: string): string {
  const plain = address.replace(/^::ffff:/, '');
  return plain.includes(':') ? plain.split(':').slice(0, 4).join(':') : plain;
}
