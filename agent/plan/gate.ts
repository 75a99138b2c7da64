// SPDX-License-Identifier: Apache-2.0
// The gate: how a release on trial proves itself. It looks at what the keepers say and at nothing else; it
// decides nothing about the next release.

import { type Code, entryOf, isCode } from '../../protocol/codes.js';
import type { KeepStatus } from '../../protocol/keeper.js';
import type { Backoff, Observed, Trial } from './observed.js';
import type { Member, Whole } from './order.js';
import type { Step } from './step.js';

export type Health =
  | { is: 'well' }
  | { is: 'pending'; message: string }
  | { is: 'bad'; code: Code; message: string };

/** The gate's step for the trial: fail, well, unwell, commit or wait. */
export function gateStep(whole: Whole, trial: Trial, observed: Observed): Step {
  const release = whole.digest;
  const worst = worstOf(whole.members.map((member) => healthOf(member, trial, observed)));
  if (worst.is === 'bad') {
    return { kind: 'fail', release, code: worst.code, message: worst.message };
  }
  if (worst.is === 'pending') return pendingStep(whole, trial, observed.nowMs, worst.message);
  if (trial.wellSinceMs === null) return { kind: 'well', release };
  const untilMs = trial.wellSinceMs + whole.release.gate.bakeMs;
  if (observed.nowMs >= untilMs) return { kind: 'commit', release };
  return { kind: 'wait', code: 'GATE_BAKING', message: 'all is well, bake', untilMs };
}

function pendingStep(whole: Whole, trial: Trial, nowMs: number, message: string): Step {
  const release = whole.digest;
  const untilMs = trial.switchedAtMs + whole.release.gate.deadlineMs;
  if (nowMs >= untilMs) return { kind: 'fail', release, code: 'GATE_DEADLINE', message };
  if (trial.wellSinceMs !== null) return { kind: 'unwell', release };
  return { kind: 'wait', code: 'GATE_PENDING', message, untilMs };
}

function worstOf(all: readonly Health[]): Health {
  return (
    all.find(({ is }) => is === 'bad') ?? all.find(({ is }) => is === 'pending') ?? { is: 'well' }
  );
}

function healthOf(member: Member, trial: Trial, observed: Observed): Health {
  const container = observed.containers.find(({ id }) => id === member.id);
  const name = member.workload.name;
  if (container?.status === undefined) {
    const backoff = observed.backoffs.find(({ subject }) => subject === member.id);
    if (backoff !== undefined && isFinal(backoff)) {
      return { is: 'bad', code: backoff.code, message: `${name}: ${backoff.message}` };
    }
    return { is: 'pending', message: `${name} is not started` };
  }
  const before = trial.baseline.find((one) => one.container === member.id)?.restartCount ?? 0;
  return statusHealth(member, container.status, before);
}

/** The same attempt would fail the same way: only another release helps. */
export function isFinal(backoff: Backoff): boolean {
  const { retry, blame } = entryOf(backoff.code);
  return retry === 'changed' || (retry === 'never' && blame === 'release');
}

function statusHealth(member: Member, status: KeepStatus, restartsBefore: number): Health {
  const { name } = member.workload;
  if (status.state === 'failed') {
    const code = status.error?.code ?? '';
    const message = `${name}: ${status.error?.message ?? 'could not be started'}`;
    return { is: 'bad', code: isCode(code) ? code : 'GATE_FAILED', message };
  }
  if (status.state === 'exited') return exitedHealth(member, status);
  if (status.state === 'restarting' || status.restartCount > restartsBefore) {
    return ended(name, status, 'GATE_RESTARTED');
  }
  return runningHealth(name, status);
}

function runningHealth(name: string, status: KeepStatus): Health {
  if (status.health === 'unhealthy') {
    const output = status.probe === undefined ? '' : `: ${status.probe.output.trim()}`;
    return { is: 'bad', code: 'GATE_UNHEALTHY', message: `${name} is unhealthy${output}` };
  }
  if (status.state !== 'running') return { is: 'pending', message: `${name} is ${status.state}` };
  if (status.health !== 'starting') return { is: 'well' };
  return { is: 'pending', message: `${name} has not passed its health check yet` };
}

function exitedHealth(member: Member, status: KeepStatus): Health {
  return isCompleted(member, status) ? { is: 'well' } : ended(member.workload.name, status);
}

/** It has done its work: ended with 0, and nobody asked for it to be started again. */
export function isCompleted(member: Member, status: KeepStatus): boolean {
  const { policy } = member.workload.restart;
  const isOnce = policy === 'no' || policy === 'on-failure';
  return status.state === 'exited' && isOnce && status.exit?.code === 0;
}

function ended(name: string, status: KeepStatus, code: Code = 'GATE_EXITED'): Health {
  const exit = status.exit;
  if (exit?.oomKilled === true) {
    return { is: 'bad', code: 'GATE_OOM', message: `${name} passed its memory limit` };
  }
  const how = exit === undefined ? 'ended' : `ended with ${exit.code}`;
  return { is: 'bad', code, message: `${name} ${how}` };
}
