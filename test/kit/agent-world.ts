// SPDX-License-Identifier: Apache-2.0
// A model world for the planner: it does what a step says, on a picture in memory, and it knows how each
// image behaves once it runs. It checks the invariants of a device after every step.

import type { Observed, ObservedContainer } from '../../agent/plan/observed.js';
import { plan } from '../../agent/plan/plan.js';
import { describe, type Step } from '../../agent/plan/step.js';
import type { Digest } from '../../protocol/name.js';
import type { Release, Workload } from '../../protocol/release.js';
import { aContainer, anObserved, aStatus, held } from './agent-docs.js';

export type Behaviour = 'well' | 'unhealthy' | 'crash' | 'nostart' | 'nopull' | 'never-healthy';

export class World {
  observed: Observed;
  readonly behaviours: Map<Digest, Behaviour>;
  readonly told: string[] = [];
  #workloads = new Map<string, Workload>();

  constructor(releases: readonly Release[], behaviours: Map<Digest, Behaviour>) {
    this.behaviours = behaviours;
    this.observed = anObserved({ releases: releases.map(held) });
  }

  ask(generation: number, release: Digest | null): void {
    this.#set({ desired: { generation, release }, backoffs: [] });
  }

  /** One look: the plan, done in order; false = it was empty. Stops before the step at `cutAt`. */
  turn(cutAt = Number.POSITIVE_INFINITY): boolean {
    const steps = plan(this.observed);
    if (steps.length === 0) return false;
    let done = 0;
    for (const step of steps) {
      if (step.kind === 'wait') continue;
      if (done >= cutAt) return true;
      done += 1;
      this.told.push(describe(step));
      if (!this.#do(step)) break;
      this.check();
    }
    if (done === 0) this.pass(untilOf(steps, this.observed.nowMs));
    return true;
  }

  /** Turns until nothing is left to do. @throws if that takes more than `turnCountMax` */
  settle(turnCountMax = 200): void {
    for (let turn = 0; turn < turnCountMax; turn += 1) if (!this.turn()) return;
    throw new Error(`not settled: ${this.told.slice(-12).join('; ')}`);
  }

  /** The agent is killed and comes back: it remembers what is on disk, which is everything here. */
  restart(): void {
    this.pass(10);
  }

  reboot(): void {
    const { trial } = this.observed;
    this.#set({
      nowMs: 1000,
      backoffs: [],
      containers: this.observed.containers.map(({ status: _gone, ...rest }) => rest),
      trial: trial && { ...trial, switchedAtMs: 1000, wellSinceMs: null, baseline: [] },
    });
  }

  running(): string[] {
    return this.observed.containers
      .filter(({ status }) => status !== undefined)
      .map(({ id }) => id)
      .sort();
  }

  #set(changed: Partial<Observed>): void {
    this.observed = { ...this.observed, ...changed };
  }

  pass(ms: number): void {
    this.#set({
      nowMs: this.observed.nowMs + ms,
      containers: this.observed.containers.map((one) => this.#live(one)),
    });
  }

  #live(container: ObservedContainer): ObservedContainer {
    const { status } = container;
    if (status === undefined || status.state !== 'running') return container;
    const checks = this.#workloads.get(container.id)?.healthcheck !== undefined;
    switch (this.behaviours.get(container.image)) {
      case 'unhealthy':
        return { ...container, status: { ...status, health: checks ? 'unhealthy' : 'none' } };
      case 'crash':
        return { ...container, status: { ...status, restartCount: status.restartCount + 1 } };
      case 'never-healthy':
        return container;
      default:
        return { ...container, status: { ...status, health: checks ? 'healthy' : 'none' } };
    }
  }

  /** false = it failed, and the agent looks again. */
  #do(step: Step): boolean {
    const { nowMs, images, containers, failed, trial } = this.observed;
    switch (step.kind) {
      case 'pull':
        if (this.behaviours.get(step.image) === 'nopull') {
          return this.#failed(step.image, 'IMAGE_PLATFORM');
        }
        this.#set({
          images: [...images, { digest: step.image, unpackedBytes: 1, usedAtMs: nowMs }],
        });
        return true;
      case 'create':
        if (!images.some(({ digest }) => digest === step.workload.image.digest)) {
          throw new Error(`created without its image: ${step.container}`);
        }
        this.#workloads.set(step.container, step.workload);
        this.#set({ containers: [...containers, aContainer(step.workload, null)] });
        return true;
      case 'start':
        return this.#start(step.container);
      case 'stop':
        this.#change(step.container, ({ status: _gone, ...rest }) => rest);
        return true;
      case 'remove':
        this.#set({ containers: containers.filter(({ id }) => id !== step.container) });
        return true;
      case 'try': {
        const { release, baseline } = step;
        this.#set({ trial: { release, switchedAtMs: nowMs, wellSinceMs: null, baseline } });
        return true;
      }
      case 'well':
        this.#set({ trial: trial && { ...trial, wellSinceMs: nowMs } });
        return true;
      case 'unwell':
        this.#set({ trial: trial && { ...trial, wellSinceMs: null } });
        return true;
      case 'commit':
        this.#set({ good: step.release, trial: null });
        return true;
      case 'fail':
      case 'refuse': {
        const { release, code, message } = step;
        this.#set({
          failed: [{ release, code, message, returned: false }, ...failed],
          trial: trial?.release === release ? null : trial,
        });
        return true;
      }
      case 'back':
        this.#set({
          failed: failed.map((one) =>
            one.release === step.failed ? { ...one, returned: true } : one,
          ),
        });
        return true;
      case 'empty':
        this.#set({ good: null, trial: null });
        return true;
      case 'prune':
        this.#set({ images: images.filter(({ digest }) => digest !== step.image) });
        return true;
      case 'wait':
        return true;
      default:
        return step satisfies never;
    }
  }

  #start(id: string): boolean {
    const container = this.observed.containers.find((one) => one.id === id);
    if (container === undefined) throw new Error(`started without a bundle: ${id}`);
    if (this.behaviours.get(container.image) === 'nostart') {
      this.#change(id, (one) => ({
        ...one,
        status: aStatus({
          id,
          state: 'failed',
          error: { code: 'BOX_EXEC', message: 'no such program' },
        }),
      }));
      return this.#failed(id, 'BOX_EXEC');
    }
    const checks = this.#workloads.get(id)?.healthcheck !== undefined;
    const health = checks ? 'starting' : 'none';
    this.#change(id, (one) => ({ ...one, status: aStatus({ id, health }) }));
    return true;
  }

  #change(id: string, work: (one: ObservedContainer) => ObservedContainer): void {
    this.#set({
      containers: this.observed.containers.map((one) => (one.id === id ? work(one) : one)),
    });
  }

  #failed(subject: string, code: 'IMAGE_PLATFORM' | 'BOX_EXEC'): boolean {
    const notBeforeMs = this.observed.nowMs + 1000;
    const backoff = { subject, code, message: 'it failed', attempts: 1, notBeforeMs };
    const others = this.observed.backoffs.filter((one) => one.subject !== subject);
    this.#set({ backoffs: [...others, backoff] });
    return false;
  }

  /** What must hold after every step. */
  check(): void {
    const { containers, images, good, trial, releases } = this.observed;
    const running = containers.filter(({ status }) => status !== undefined);
    const names = running.map(({ workload }) => workload);
    if (new Set(names).size !== names.length) {
      throw new Error(`two generations of a workload run: ${running.map(({ id }) => id)}`);
    }
    const held = new Set(images.map(({ digest }) => digest));
    const lost = running.find(({ image }) => !held.has(image));
    if (lost !== undefined) throw new Error(`the image of ${lost.id} was pruned`);
    if (trial === null || good === null) return;
    const kept = new Set(containers.map(({ spec }) => spec));
    const specs = releases.find(({ digest }) => digest === good)?.specs ?? [];
    if (specs.some((spec) => !kept.has(spec))) {
      throw new Error('a bundle of the good release went before the gate was passed');
    }
  }
}

function untilOf(steps: readonly Step[], nowMs: number): number {
  const times = steps.flatMap((step) =>
    step.kind === 'wait' && step.untilMs !== null ? [step.untilMs - nowMs] : [],
  );
  return Math.max(1, Math.min(2000, ...times));
}
