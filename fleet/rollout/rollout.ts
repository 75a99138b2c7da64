// SPDX-License-Identifier: Apache-2.0
// rollout(facts) → the steps possible now. Pure: no clock, no I/O. The loop does them, writes down what
// became of it, and asks again; so a server killed between two steps goes on where it was.
// INVARIANT: assigns only in the open wave, at most inFlightMax at once, and never unless it is running.

import type { DeviceFact, RolloutFacts, RolloutStep } from './facts.js';
import { judge, type Verdict } from './gate.js';

export function rollout(facts: RolloutFacts): RolloutStep[] {
  if (facts.state !== 'running') return [];
  const wave = facts.waves.findIndex(({ passedAtMs }) => passedAtMs === null);
  if (wave < 0) return [{ kind: 'finish', release: facts.release }];
  if (facts.waves[wave]?.openedAtMs === null) return openOrFail(facts, wave);
  const verdict = judge(facts, wave);
  switch (verdict.kind) {
    case 'failed':
      return [failStep(wave, verdict)];
    case 'unsure':
      return [{ kind: 'pause', wave, code: 'ROLLOUT_UNSURE', message: verdict.message }];
    case 'passed':
      return [{ kind: 'passWave', wave }];
    case 'baking':
      return [{ kind: 'wait', untilMs: verdict.untilMs }];
    case 'offering':
      return [...assigns(facts, wave), { kind: 'wait', untilMs: verdict.untilMs }];
    default:
      return verdict satisfies never;
  }
}

/** A device of an earlier wave may have failed since that wave passed: then no new one opens. */
function openOrFail(facts: RolloutFacts, wave: number): RolloutStep[] {
  const verdict = judge(facts, wave - 1);
  return [verdict.kind === 'failed' ? failStep(wave - 1, verdict) : { kind: 'openWave', wave }];
}

function failStep(wave: number, verdict: Extract<Verdict, { kind: 'failed' }>): RolloutStep {
  const { device, cause, detail } = verdict;
  return {
    kind: 'fail',
    wave,
    code: 'ROLLOUT_GATE',
    message: `device ${device} failed in wave ${wave}: ${cause}${detail === null ? '' : `: ${detail}`}`,
    facts: { device, cause, wave },
  };
}

function assigns(facts: RolloutFacts, wave: number): RolloutStep[] {
  const waiting = facts.devices.filter((device) => device.outcome === 'waiting');
  const inFlight = waiting.filter((device) => device.assignedAtMs !== null).length;
  return waiting
    .filter((device) => device.wave === wave && device.assignedAtMs === null)
    .sort((a: DeviceFact, b: DeviceFact) => a.rank - b.rank)
    .slice(0, Math.max(0, facts.inFlightMax - inFlight))
    .map(({ device }) => ({ kind: 'assign', device, wave, release: facts.release }));
}
