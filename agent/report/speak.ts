// SPDX-License-Identifier: Apache-2.0
// Says to the fleet what is to be said, as long as there is an uplink: whole reports on change and not more
// often than a bound, events in their order until the broker has them. What could not be sent is said after
// the next connect; nothing waits in memory but the newest report.

import type { Event, Hello, Reported } from '../../protocol/device.js';
import type { Store } from '../store/types.js';
import { isWorthKeeping, type ReportFacts, reportedOf, saysTheSame } from './reported.js';

/** The link, as far as it is needed here. */
export interface Uplink {
  readonly connected: boolean;
  hello(hello: Hello): Promise<void>;
  reported(reported: Reported): Promise<void>;
  event(event: Event): Promise<void>;
}

export type SaidFacts = Omit<ReportFacts, 'before' | 'bootId' | 'seq' | 'at'>;

export interface SpeakerParts {
  readonly store: Pick<Store, 'outbox' | 'nextSeq' | 'bootId'>;
  /** RFC 3339. */
  readonly now: () => string;
  readonly sleep: (ms: number) => Promise<void>;
  readonly reportMsMin: number;
  readonly eventCountMax: number;
  /** Told of what could not be sent; it is tried again after the next connect. */
  readonly onError: (error: unknown, what: string) => void;
}

export class Speaker {
  readonly #parts: SpeakerParts;
  #uplink: Uplink | undefined;
  #newest: SaidFacts | undefined;
  /** What the fleet has; undefined = not known, say it whole. */
  #said: Reported | undefined;
  /** The last report on disk, for the conditions' `since`. */
  #kept: Reported | undefined;
  #isReporting = false;
  #isEmptying = false;

  constructor(parts: SpeakerParts) {
    this.#parts = parts;
  }

  async start(): Promise<void> {
    this.#kept = await this.#parts.store.outbox.lastReported();
  }

  attach(uplink: Uplink): void {
    this.#uplink = uplink;
  }

  /** A new connection: the fleet may have missed anything. */
  async up(hello: Hello): Promise<void> {
    this.#said = undefined;
    await this.#try('hello', (uplink) => uplink.hello(hello));
    void this.#report();
    void this.empty();
  }

  async hello(hello: Hello): Promise<void> {
    await this.#try('hello', (uplink) => uplink.hello(hello));
  }

  offer(facts: SaidFacts): void {
    this.#newest = facts;
    void this.#report();
    void this.empty();
  }

  /** The report as it would be said now. */
  draft(facts: SaidFacts): Reported {
    const { store, now } = this.#parts;
    return reportedOf({ ...facts, before: this.#kept, bootId: store.bootId, seq: 0, at: now() });
  }

  async #report(): Promise<void> {
    if (this.#isReporting) return; // it looks for a newer one before it ends
    this.#isReporting = true;
    try {
      while (this.#uplink?.connected === true && this.#newest !== undefined) {
        const draft = this.draft(this.#newest);
        this.#newest = undefined;
        if (saysTheSame(this.#said, draft)) continue;
        if (!(await this.#send(draft))) return;
        await this.#parts.sleep(this.#parts.reportMsMin);
      }
    } finally {
      this.#isReporting = false;
    }
  }

  async #send(draft: Reported): Promise<boolean> {
    const { store } = this.#parts;
    return this.#try('reported', async (uplink) => {
      const reported = { ...draft, seq: await store.nextSeq() };
      await uplink.reported(reported);
      this.#said = reported;
      if (!isWorthKeeping(this.#kept, reported)) return;
      this.#kept = reported;
      await store.outbox.putReported(reported);
    });
  }

  /** Sends the outbox, a few at a time, and forgets what the broker has. */
  async empty(): Promise<void> {
    if (this.#isEmptying) return;
    this.#isEmptying = true;
    try {
      let isGoing = true;
      while (isGoing) isGoing = await this.#emptySome();
    } finally {
      this.#isEmptying = false;
    }
  }

  async #emptySome(): Promise<boolean> {
    if (this.#uplink?.connected !== true) return false;
    const { store, eventCountMax } = this.#parts;
    let count = 0;
    const isSent = await this.#try('event', async (uplink) => {
      const waiting = await store.outbox.next(eventCountMax);
      count = waiting.length;
      await Promise.all(
        waiting.map(async ({ id, event }) => {
          await uplink.event(event);
          await store.outbox.done(id);
        }),
      );
    });
    return isSent && count > 0;
  }

  async #try(what: string, work: (uplink: Uplink) => Promise<void>): Promise<boolean> {
    const uplink = this.#uplink;
    if (uplink?.connected !== true) return false;
    try {
      await work(uplink);
      return true;
    } catch (error) {
      this.#parts.onError(error, what);
      return false;
    }
  }
}
