// SPDX-License-Identifier: Apache-2.0
// What the device says of itself, from what is observed and what is planned: a function of its arguments.

import type { Condition, Reported } from '../../protocol/device.js';
import type { Digest } from '../../protocol/name.js';
import type { Observed, ObservedContainer } from '../plan/observed.js';
import { describe, type Step } from '../plan/step.js';
import { conditionsOf } from './conditions.js';

export interface ReportFacts {
  readonly observed: Observed;
  readonly steps: readonly Step[];
  readonly epoch: number;
  /** Of the pull that is going on. */
  readonly percent: number | undefined;
  readonly linked: Pick<Condition, 'status' | 'code' | 'message'>;
  /** The last report: a condition that did not change keeps its `since`. */
  readonly before: Reported | undefined;
  readonly bootId: string;
  readonly seq: number;
  readonly at: string;
}

const workloadCountMax = 64;

export function reportedOf(facts: ReportFacts): Reported {
  const { observed, steps, epoch, percent, before, bootId, seq, at } = facts;
  const failed = failedOf(observed);
  const step = steps.find(({ kind }) => kind !== 'wait') ?? steps[0];
  return {
    bootId,
    seq,
    epoch,
    observedGeneration: observed.desired?.generation ?? 0,
    release: runningRelease(observed),
    good: observed.good,
    ...(failed === undefined ? {} : { failed }),
    ...(step === undefined ? {} : { step: describe(step).slice(0, 1024) }),
    ...(percent === undefined ? {} : { percent }),
    conditions: conditionsOf(facts, before?.conditions ?? []),
    workloads: shown(observed).map(workloadOf),
    at,
  };
}

function failedOf(observed: Observed): Reported['failed'] {
  const found = observed.failed.find(({ release }) => release === observed.desired?.release);
  if (found === undefined) return undefined;
  const { release, code, message } = found;
  return { release, code, message: message.slice(0, 1024) };
}

/** The trial or the good release, where anything of it runs. */
export function runningRelease(observed: Observed): Digest | null {
  const digest = observed.trial?.release ?? observed.good;
  const held = observed.releases.find((one) => one.digest === digest);
  const specs = new Set(held?.specs);
  const runs = observed.containers.some((one) => one.status !== undefined && specs.has(one.spec));
  return held !== undefined && runs ? held.digest : null;
}

/** Containers that somebody keeps, and those that should be. */
function shown(observed: Observed): ObservedContainer[] {
  const digest = observed.trial?.release ?? observed.good;
  const specs = new Set(observed.releases.find((one) => one.digest === digest)?.specs);
  return observed.containers
    .filter(({ status, spec }) => status !== undefined || specs.has(spec))
    .slice(0, workloadCountMax);
}

function workloadOf(container: ObservedContainer): Reported['workloads'][number] {
  const { id, workload, image, status } = container;
  return {
    name: workload,
    container: id,
    image,
    state: status?.state ?? 'created',
    health: status?.health ?? 'none',
    restartCount: status?.restartCount ?? 0,
  };
}

/** Whether a report says nothing that the one before did not: its number and time do not count. */
export function saysTheSame(one: Reported | undefined, other: Reported): boolean {
  if (one === undefined) return false;
  const said = (reported: Reported): string => JSON.stringify({ ...reported, seq: 0, at: '' });
  return said(one) === said(other);
}

/** Whether it is worth a write to the disk: progress is not. */
export function isWorthKeeping(one: Reported | undefined, other: Reported): boolean {
  if (one === undefined) return true;
  const { step: _a, percent: _b, ...kept } = one;
  const { step: _c, percent: _d, ...now } = other;
  return !saysTheSame(kept, now);
}
