// SPDX-License-Identifier: Apache-2.0
// The fleet's loop, level-triggered: whatever happened, it looks at the database, does what is possible, and
// waits for the next reason to look. The database is the truth; the broker is filled from it.
// INVARIANT: one look at a time; a reason that comes during a look causes another one.

import type { Clock } from '../adapters/clock.js';
import { errorFacts, type Log } from '../adapters/log.js';
import type { Db } from '../adapters/sqlite.js';
import { parseTopic } from '../protocol/topic.js';
import { type Publish, Publisher, type SealedOf } from './apply/publish.js';
import type { Signing } from './apply/sign.js';
import { stepRollout } from './apply/steps.js';
import { bounds } from './config.js';
import { refreshVariables } from './devices/variables.js';
import { take } from './observe/inbox.js';
import { Intake } from './observe/intake.js';
import { forgetPresence } from './store/devices.js';
import { activeRollouts } from './store/rollouts.js';

export interface LoopOptions {
  readonly db: Db;
  readonly signing: Signing;
  readonly publish: Publish;
  readonly sealedOf?: SealedOf;
  readonly clock: Clock;
  readonly log: Log;
}

export class Loop {
  readonly #options: LoopOptions;
  readonly #publisher: Publisher;
  readonly #intake: Intake;
  #isDue = false;
  #isConnected = false;
  #mustRefill = false;
  #isClosed = false;
  #looking: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: LoopOptions) {
    this.#options = options;
    this.#intake = new Intake(options.log);
    this.#publisher = new Publisher({ ...options, tenant: options.signing.tenant });
  }

  /** A message of the uplink; what is not acceptable throws, and the link logs it. @throws JSON_BAD, SHAPE_BAD */
  async onMessage(topic: string, text: string): Promise<void> {
    const { db, signing, clock, log } = this.#options;
    const parsed = parseTopic(topic);
    if (parsed?.kind !== 'up' || parsed.tenant !== signing.tenant || this.#isClosed) return;
    if (!this.#intake.takes(parsed.device, clock.monotonicMs())) return;
    const taken = await take(db, parsed, text, signing, clock.now());
    if (!taken.isNews) {
      log.debug({ topic }, 'inbox: nothing new');
      return;
    }
    if (taken.wantsDesired) this.#publisher.desired(parsed.device);
    for (const digest of taken.missing) this.#publisher.release(digest);
    if (taken.wantsDesired || taken.missing.length > 0 || taken.isChange) this.look();
  }

  onState(connected: boolean): void {
    this.#isConnected = connected;
    this.#mustRefill ||= connected;
    if (connected) {
      this.look();
      return;
    }
    // Queued now, so that it comes before what devices say after the next connect.
    const { db, log } = this.#options;
    forgetPresence(db).catch((error: unknown) => {
      if (!this.#isClosed) log.error(errorFacts(error), 'loop: presence is not forgotten');
    });
  }

  /** A device's secrets changed, or those of all: they are sent. */
  async sealed(device?: string): Promise<void> {
    await this.#publisher.sealed(device);
    this.look();
  }

  /** What is retained for the device is taken off the broker. */
  remove(device: string): void {
    this.#publisher.remove(device);
    this.look();
  }

  /** Something changed: look soon. Many calls make one look. */
  look(): void {
    if (this.#isClosed) return;
    this.#isDue = true;
    this.#looking ??= this.#run();
  }

  /** Resolves when no look goes on or is due. */
  async settled(): Promise<void> {
    while (this.#looking !== undefined) await this.#looking;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.settled();
  }

  async #run(): Promise<void> {
    let untilMs: number | null = null;
    while (this.#isDue && !this.#isClosed) {
      this.#isDue = false;
      try {
        untilMs = await this.#look();
      } catch (error) {
        this.#options.log.error(errorFacts(error), 'loop: a look failed; it is tried again');
        untilMs = null;
      }
    }
    this.#looking = undefined;
    if (!this.#isClosed) this.#schedule(untilMs);
  }

  async #look(): Promise<number | null> {
    this.#intake.report(this.#options.clock.monotonicMs());
    let untilMs: number | null = null;
    await this.#refresh();
    for (const { id } of await activeRollouts(this.#options.db)) {
      const due = await this.#step(id);
      if (due !== null) untilMs = Math.min(untilMs ?? due, due);
    }
    if (!this.#isConnected) return untilMs;
    if (this.#mustRefill) {
      this.#mustRefill = false;
      await this.#publisher.refill();
    }
    await this.#publisher.flush();
    return untilMs;
  }

  /** Devices whose variables changed get their assignment again. */
  async #refresh(): Promise<void> {
    const { db, signing, clock, log } = this.#options;
    const { assigned, again } = await db.transaction((tx) =>
      refreshVariables(tx, signing, clock.now()),
    );
    for (const device of assigned) {
      this.#publisher.desired(device);
      log.info({ device }, 'variables: assigned again');
    }
    if (again) this.#isDue = true;
  }

  /** Steps of one rollout until there is nothing to do now; when it is to be looked at again. */
  async #step(id: string): Promise<number | null> {
    const { db, signing, clock, log } = this.#options;
    for (let round = 0; round < bounds.roundCountMax; round += 1) {
      const look = await db.transaction((tx) => stepRollout(tx, id, signing, clock.now()));
      for (const device of look.assigned) this.#publisher.desired(device);
      for (const step of look.done) log.info({ rollout: id }, `rollout: ${step}`);
      if (!look.again) return look.untilMs;
    }
    this.#isDue = true;
    return null;
  }

  #schedule(untilMs: number | null): void {
    clearTimeout(this.#timer);
    const wait = (untilMs ?? Number.POSITIVE_INFINITY) - this.#options.clock.now();
    const delay = Math.min(bounds.lookMaxMs, Math.max(bounds.lookMinMs, wait));
    this.#timer = setTimeout(() => this.look(), delay);
    this.#timer.unref();
  }
}
