// SPDX-License-Identifier: Apache-2.0
// The loop: observe, plan, apply what is possible now, and look again. Level-triggered: a ring or a timer only
// makes it look, and what it does follows from what it sees. A pull goes on beside it, so that gates are
// judged and containers are started meanwhile; it is given up when the plan no longer asks for it.
// INVARIANT: errors end here. They are logged with code, facts and causes, and the loop goes on.

import type { Clock } from '../adapters/clock.js';
import { errorFacts, type Log } from '../adapters/log.js';
import { CodedError } from '../protocol/error.js';
import type { Digest } from '../protocol/name.js';
import { applyStep } from './apply/apply.js';
import type { ApplyContext } from './apply/context.js';
import { failureMsMin, idleMsMax, pulseMs, turnCountMax } from './config.js';
import { observe } from './observe/observe.js';
import type { Observed, Policy } from './plan/observed.js';
import { plan } from './plan/plan.js';
import { describe, type Step } from './plan/step.js';
import type { PullProgress } from './pull/types.js';
import type { Run } from './run/types.js';
import type { Store } from './store/types.js';
import { openBell } from './wake.js';

/** What was seen last, for those who only look. */
export interface Seen {
  readonly observed: Observed;
  readonly steps: readonly Step[];
  /** Of the pull that goes on. */
  readonly percent: number | undefined;
}

export interface LoopParts extends Pick<ApplyContext, 'pull' | 'configOf' | 'eventOf'> {
  readonly store: Store;
  readonly run: Run;
  readonly clock: Clock;
  readonly log: Log;
  readonly policy: Policy;
  readonly diskLowBytes: number;
  /** Told after each look, and at most once a second while a pull goes on. Must not throw. */
  readonly onSeen: (seen: Seen) => void;
}

export interface Loop {
  /** Makes it look. */
  ring(): void;
  /** The picture of the last turn; made now where there was none. */
  seen(): Promise<Seen>;
  /** While `work` goes on, no image and no layer is removed. */
  holding<T>(work: () => Promise<T>): Promise<T>;
  /** Removes what no image holds, if nothing is going on; resolves with whether it did. */
  sweep(): Promise<boolean>;
  /** Gives up what goes on and waits for it to end. Containers are not touched. */
  close(): Promise<void>;
}

interface Fetching {
  readonly image: Digest;
  readonly abort: AbortController;
  readonly ended: Promise<void>;
}

const progressMs = 1000;

/** Begins at once. */
export function openLoop(parts: LoopParts): Loop {
  const loop = new Running(parts);
  loop.start();
  return loop;
}

class Running implements Loop {
  readonly #parts: LoopParts;
  readonly #bell: ReturnType<typeof openBell>;
  readonly #closing = new AbortController();
  #ended: Promise<void> = Promise.resolve();
  #fetching: Fetching | undefined;
  #last: Seen | undefined;
  #percent: number | undefined;
  #toldAtMs = Number.NEGATIVE_INFINITY;
  #turns = 0;
  #holds = 0;
  #pulse: NodeJS.Timeout | undefined;
  #isFeeling = false;

  constructor(parts: LoopParts) {
    this.#parts = parts;
    this.#bell = openBell(parts.clock);
  }

  start(): void {
    this.#ended = this.#go();
    this.#pulse = setInterval(() => void this.#feel(), pulseMs);
  }

  /** A keeper that was killed says nothing: its silence is looked for, by the cheap part of a look. */
  async #feel(): Promise<void> {
    if (this.#isFeeling) return;
    this.#isFeeling = true;
    try {
      const kept = new Set(
        (await this.#parts.run.list()).flatMap(({ id, status }) => (status ? [id] : [])),
      );
      const before = this.#last?.observed.containers ?? [];
      if (before.some(({ id, status }) => status !== undefined && !kept.has(id))) this.ring();
    } catch (error) {
      this.#parts.log.warn(errorFacts(error), 'the containers could not be listed');
    } finally {
      this.#isFeeling = false;
    }
  }

  ring(): void {
    this.#bell.ring();
  }

  async seen(): Promise<Seen> {
    if (this.#last !== undefined) return this.#last;
    const observed = await this.#observe();
    return { observed, steps: plan(observed), percent: undefined };
  }

  async holding<T>(work: () => Promise<T>): Promise<T> {
    this.#holds += 1;
    try {
      return await work();
    } finally {
      this.#holds -= 1;
    }
  }

  #isHeld(): boolean {
    return this.#fetching !== undefined || this.#holds > 0;
  }

  async sweep(): Promise<boolean> {
    const { store, log } = this.#parts;
    if (this.#isHeld() || (this.#last?.steps.length ?? 1) > 0) return false;
    const layerCount = await store.sweep();
    if (layerCount > 0) log.info({ layerCount }, 'layers removed that no image held');
    return true;
  }

  async close(): Promise<void> {
    const reason = new CodedError('CLOSED', 'the agent is stopping');
    clearInterval(this.#pulse);
    this.#closing.abort(reason);
    this.#fetching?.abort.abort(reason);
    await this.#ended;
    await this.#fetching?.ended;
  }

  async #go(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      const untilMs = await this.#safeTurn();
      if (untilMs === undefined) continue;
      this.#turns = 0;
      await this.#bell.wait(untilMs, signal);
    }
  }

  /** When to look again; undefined = at once. */
  async #safeTurn(): Promise<number | undefined> {
    const { clock, log } = this.#parts;
    this.#turns += 1;
    try {
      if (this.#turns > turnCountMax) {
        this.#turns = 0;
        log.error(
          { code: 'BUG', steps: this.#last?.steps.map(describe) },
          'the plan never settles',
        );
        await this.#pause(idleMsMax);
      }
      return await this.#turn();
    } catch (error) {
      if (this.#closing.signal.aborted) return undefined;
      log.error(errorFacts(error), 'a turn failed');
      await this.#pause(failureMsMin);
      return clock.monotonicMs();
    }
  }

  /** Not to be cut short by a ring: what failed must not be tried at once. */
  async #pause(ms: number): Promise<void> {
    await this.#parts.clock.sleep(ms, this.#closing.signal).catch(() => undefined);
  }

  async #turn(): Promise<number | undefined> {
    const observed = await this.#observe();
    const steps = plan(observed);
    this.#note({ observed, steps, percent: this.#percent });
    this.#giveUpPull(steps);
    for (const step of steps) {
      if (this.#closing.signal.aborted) return undefined;
      if (step.kind === 'pull') this.#beginPull(step);
      else if (!this.#mustWait(step)) await applyStep(step, this.#context(this.#closing.signal));
    }
    const isQuiet = steps.every((step) => step.kind === 'pull' || this.#mustWait(step));
    return isQuiet ? this.#untilOf(observed, steps) : undefined;
  }

  /** Layers that a pull counts on must not go while it runs. */
  #mustWait(step: Step): boolean {
    return step.kind === 'wait' || (step.kind === 'prune' && this.#isHeld());
  }

  #untilOf(observed: Observed, steps: readonly Step[]): number {
    const times = steps.flatMap((step) =>
      step.kind === 'wait' && step.untilMs !== null ? [step.untilMs] : [],
    );
    return Math.min(observed.nowMs + idleMsMax, ...times);
  }

  #observe(): Promise<Observed> {
    return observe(this.#parts);
  }

  #note(seen: Seen): void {
    this.#last = seen;
    this.#toldAtMs = this.#parts.clock.monotonicMs();
    this.#parts.onSeen(seen);
  }

  #context(signal: AbortSignal): ApplyContext {
    const { store, run, pull, clock, log, configOf, eventOf } = this.#parts;
    const onProgress = (progress: PullProgress): void => this.#progress(progress);
    return { store, run, pull, clock, log, configOf, eventOf, onProgress, signal };
  }

  #progress({ bytesDone, bytesTotal }: PullProgress): void {
    this.#percent = bytesTotal === 0 ? 0 : Math.floor((100 * bytesDone) / bytesTotal);
    const isLate = this.#parts.clock.monotonicMs() - this.#toldAtMs >= progressMs;
    if (isLate && this.#last !== undefined) this.#note({ ...this.#last, percent: this.#percent });
  }

  #giveUpPull(steps: readonly Step[]): void {
    const image = this.#fetching?.image;
    if (image === undefined) return;
    if (steps.some((step) => step.kind === 'pull' && step.image === image)) return;
    this.#fetching?.abort.abort(new CodedError('CLOSED', 'the image is no longer asked for'));
  }

  #beginPull(step: Extract<Step, { kind: 'pull' }>): void {
    if (this.#fetching !== undefined) return;
    const abort = new AbortController();
    const ended = this.#pull(step, abort.signal);
    this.#fetching = { image: step.image, abort, ended };
  }

  async #pull(step: Step, signal: AbortSignal): Promise<void> {
    const { log } = this.#parts;
    try {
      await applyStep(step, this.#context(signal));
    } catch (error) {
      if (signal.aborted) log.info(errorFacts(error), 'pull given up');
      else log.warn(errorFacts(error), 'pull failed');
    } finally {
      this.#fetching = undefined;
      this.#percent = undefined;
      this.#bell.ring();
    }
  }
}
