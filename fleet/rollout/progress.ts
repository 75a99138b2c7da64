// SPDX-License-Identifier: Apache-2.0
// What a device's word means for its place in a rollout. Pure: the fact before and the word give the fact
// after. Only words about this rollout's release at its generation or later count.

import type { Event, Reported } from '../../protocol/device.js';
import type { Digest } from '../../protocol/name.js';
import type { DeviceFact } from './facts.js';
import { countsAgainst } from './gate.js';

/** The assignment that put the device into the rollout. */
export interface Asked {
  readonly release: Digest;
  readonly epoch: number;
  readonly generation: number;
}

export type Change = Pick<DeviceFact, 'outcome' | 'goodAtMs' | 'code' | 'message'>;

/** undefined: it says nothing new. */
export function fromReported(
  before: Change,
  asked: Asked,
  reported: Reported,
  nowMs: number,
): Change | undefined {
  const isAbout = reported.epoch === asked.epoch && reported.observedGeneration >= asked.generation;
  if (!isAbout || before.outcome === 'excluded') return undefined;
  if (reported.failed?.release === asked.release) {
    return failure(before, reported.failed.code, reported.failed.message);
  }
  if (reported.good !== asked.release || reported.release !== asked.release) {
    return trouble(before, reported);
  }
  if (before.outcome === 'good') return sickness(before, reported);
  return before.outcome === 'waiting' ? good(nowMs) : undefined;
}

/** Events say the same sooner, and some failures that leave no other trace: refused. */
export function fromEvent(
  before: Change,
  asked: Asked,
  event: Event,
  nowMs: number,
): Change | undefined {
  const isAbout =
    event.epoch === asked.epoch &&
    event.generation >= asked.generation &&
    event.release === asked.release;
  if (!isAbout || before.outcome === 'excluded') return undefined;
  switch (event.type) {
    case 'good':
      return before.outcome === 'waiting' ? good(nowMs) : undefined;
    case 'failed':
    case 'refused':
    case 'rolledBack':
      return failure(before, event.code ?? 'BUG', event.message ?? null);
    default:
      return undefined;
  }
}

function good(nowMs: number): Change {
  return { outcome: 'good', goodAtMs: nowMs, code: null, message: null };
}

/** The first code stays. A failure by the network keeps it waiting, with the code as the reason. */
function failure(before: Change, code: string, message: string | null): Change | undefined {
  if (before.outcome === 'failed') return undefined;
  if (countsAgainst(code)) return { ...before, outcome: 'failed', code, message };
  return before.code === code ? undefined : { ...before, code, message };
}

/** Why it is not there yet, from its conditions; cleared when it is no longer so. */
function trouble(before: Change, reported: Reported): Change | undefined {
  if (before.outcome !== 'waiting') return undefined;
  const broken = reported.conditions.find(
    ({ status, code }) => status === 'False' && code !== undefined && !countsAgainst(code),
  );
  const code = broken?.code ?? null;
  return code === before.code ? undefined : { ...before, code, message: broken?.message ?? null };
}

function sickness(before: Change, reported: Reported): Change | undefined {
  const sick = reported.workloads.find(
    ({ state, health }) => state === 'failed' || health === 'unhealthy',
  );
  if (sick === undefined) return undefined;
  const message = `${sick.name} is ${sick.state}, health ${sick.health}`;
  return failure(before, 'ROLLOUT_UNWELL', message);
}
