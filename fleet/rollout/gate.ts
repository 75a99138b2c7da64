// SPDX-License-Identifier: Apache-2.0
// The gate of one open wave: whether it may pass. Unknown is never success: what cannot be judged pauses.
// A failure counts unless the network is to blame; a device silent past the deadline has failed.

import { type Code, entryOf, isCode } from '../../protocol/codes.js';
import type { DeviceFact, RolloutFacts, WaveState } from './facts.js';

export type Verdict =
  | {
      readonly kind: 'failed';
      readonly device: string;
      readonly cause: string;
      readonly detail: string | null;
    }
  | { readonly kind: 'unsure'; readonly message: string; readonly cause: Code | string }
  | { readonly kind: 'offering'; readonly untilMs: number | null }
  | { readonly kind: 'baking'; readonly untilMs: number }
  | { readonly kind: 'passed' };

/** Whether a device's own code counts against the release. A code of a newer agent counts. */
export function countsAgainst(code: string): boolean {
  return !(isCode(code) && entryOf(code).blame === 'network');
}

/** The first failure among the devices of all open waves: a wave that has passed can still turn out bad. */
export function judge(facts: RolloutFacts, wave: number): Verdict {
  const open = facts.devices.filter((device) => device.wave <= wave);
  const members = open.filter((device) => device.wave === wave);
  return (
    firstFailure(open, facts) ??
    firstUnsure(members, facts) ??
    stillOffering(members, facts) ??
    bakeOf(members, facts)
  );
}

function firstFailure(devices: readonly DeviceFact[], facts: RolloutFacts): Verdict | undefined {
  const said = devices.find((device) => device.outcome === 'failed');
  if (said !== undefined) {
    const { device, code, message } = said;
    return { kind: 'failed', device, cause: code ?? 'BUG', detail: message };
  }
  const silent = devices.find(
    (device) => isLate(device, facts) && (device.code === null || countsAgainst(device.code)),
  );
  if (silent === undefined) return undefined;
  const { device, code } = silent;
  const detail = `nothing final was heard within ${facts.deadlineMs / 1000} s`;
  return { kind: 'failed', device, cause: code ?? 'ROLLOUT_SILENT', detail };
}

function firstUnsure(devices: readonly DeviceFact[], facts: RolloutFacts): Verdict | undefined {
  const late = devices.find((device) => isLate(device, facts));
  if (late !== undefined) {
    const cause = late.code ?? 'ROLLOUT_SILENT';
    return { kind: 'unsure', message: `device ${late.device} still fails with ${cause}`, cause };
  }
  const hasLeft = devices.every((device) => device.outcome === 'excluded');
  if (!hasLeft || facts.resumedAtMs !== null) return undefined;
  return {
    kind: 'unsure',
    message: 'all devices of the wave have left the rollout; resume to go on without them',
    cause: 'ROLLOUT_UNSURE',
  };
}

function stillOffering(devices: readonly DeviceFact[], facts: RolloutFacts): Verdict | undefined {
  const waiting = devices.filter((device) => device.outcome === 'waiting');
  if (waiting.length === 0) return undefined;
  const deadlines = waiting
    .map((device) => deadlineOf(device, facts))
    .filter((deadline) => deadline !== null);
  return { kind: 'offering', untilMs: deadlines.length === 0 ? null : Math.min(...deadlines) };
}

/** The bake starts when the last device became good. */
function bakeOf(devices: readonly DeviceFact[], facts: RolloutFacts): Verdict {
  const goodAt = devices.map((device) => device.goodAtMs ?? 0);
  const untilMs = Math.max(0, ...goodAt) + facts.bakeMs;
  const hasGood = devices.some((device) => device.outcome === 'good');
  return hasGood && facts.nowMs < untilMs ? { kind: 'baking', untilMs } : { kind: 'passed' };
}

function isLate(device: DeviceFact, facts: RolloutFacts): boolean {
  const deadline = deadlineOf(device, facts);
  return device.outcome === 'waiting' && deadline !== null && facts.nowMs >= deadline;
}

function deadlineOf(device: DeviceFact, facts: RolloutFacts): number | null {
  if (device.assignedAtMs === null) return null;
  return Math.max(device.assignedAtMs, facts.resumedAtMs ?? 0) + facts.deadlineMs;
}

/** What a person is shown of a wave. */
export function waveState(facts: RolloutFacts, wave: number): WaveState {
  const fact = facts.waves[wave];
  if (fact === undefined || fact.openedAtMs === null) return 'pending';
  if (fact.passedAtMs !== null) return 'passed';
  if (facts.state === 'failed') return 'failed';
  if (facts.state === 'paused') return 'paused';
  const verdict = judge(facts, wave);
  return verdict.kind === 'offering' ? 'offering' : 'baking';
}
