// SPDX-License-Identifier: Apache-2.0
// How much of one device's word is taken in: a token bucket for each device, so that one that talks without end
// costs the database and the others nothing. What is dropped is counted, and said once a minute.

import type { Log } from '../../adapters/log.js';

/** As many as a device can have kept back while it was away (its outbox), and some. */
export const messageBurstMax = 1200;
/** What goes on for ever. A busy device says one or two in a second. */
export const messagesPerS = 5;
const reportMs = 60_000;
/** Devices that a line of the log names. */
const namedCountMax = 8;

interface Bucket {
  readonly tokens: number;
  readonly atMs: number;
}

export class Intake {
  readonly #log: Log;
  /** Only of devices that are not full: bounded by those that spoke within the time that a bucket needs to fill. */
  readonly #buckets = new Map<string, Bucket>();
  /** Since the last line. */
  readonly #dropped = new Map<string, number>();
  #saidAtMs = Number.NEGATIVE_INFINITY;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Whether a message of the device is taken in. `nowMs` is monotonic. */
  takes(device: string, nowMs: number): boolean {
    const tokens = tokensOf(this.#buckets.get(device), nowMs);
    if (tokens < 1) {
      this.#dropped.set(device, (this.#dropped.get(device) ?? 0) + 1);
      return false;
    }
    this.#buckets.set(device, { tokens: tokens - 1, atMs: nowMs });
    return true;
  }

  /** Says what was dropped, at most once a minute, and forgets full buckets. Call it now and then. */
  report(nowMs: number): void {
    if (nowMs - this.#saidAtMs < reportMs) return;
    this.#saidAtMs = nowMs;
    for (const [device, bucket] of this.#buckets) {
      if (tokensOf(bucket, nowMs) >= messageBurstMax) this.#buckets.delete(device);
    }
    if (this.#dropped.size === 0) return;
    const worst = [...this.#dropped].sort(([, a], [, b]) => b - a);
    const count = worst.reduce((sum, [, dropped]) => sum + dropped, 0);
    const devices = Object.fromEntries(worst.slice(0, namedCountMax));
    this.#log.warn(
      { count, deviceCount: worst.length, devices },
      'inbox: devices say too much; messages were dropped',
    );
    this.#dropped.clear();
  }
}

function tokensOf(bucket: Bucket | undefined, nowMs: number): number {
  if (bucket === undefined) return messageBurstMax;
  const gained = ((nowMs - bucket.atMs) / 1000) * messagesPerS;
  return Math.min(messageBurstMax, bucket.tokens + gained);
}
