// SPDX-License-Identifier: Apache-2.0
// Stops and starts that bring the running containers to one release: everything that is not of it stops
// first, dependants before what they depend on; then its own start, each when its dependencies allow it.
// Hence two generations of a workload never run together.

import type { KeepStatus } from '../../protocol/keeper.js';
import { isCompleted } from './gate.js';
import type { Observed, ObservedContainer } from './observed.js';
import { type Member, type Whole, wholeOf } from './order.js';
import { heldUp, waitFor } from './ready.js';
import type { Step } from './step.js';

/** Stops of every container with a keeper that is not of `whole`; undefined = of all. */
export function stopSteps(whole: Whole | undefined, observed: Observed): Step[] {
  const own = new Set(whole?.members.map(({ id }) => id));
  const strays = observed.containers.filter(
    ({ id, status }) => status !== undefined && !own.has(id),
  );
  const place = placesIn(observed);
  return strays
    .sort((a, b) => (place.get(b.id) ?? 0) - (place.get(a.id) ?? 0))
    .flatMap((container) => {
      const backoff = heldUp(observed, container.id);
      return backoff === undefined ? [stopOf(container)] : waitFor(backoff);
    });
}

/** Each known container's place in the start order of its release. */
function placesIn(observed: Observed): Map<string, number> {
  return new Map(
    observed.releases.flatMap((held) =>
      wholeOf(held).members.map(({ id }, at): [string, number] => [id, at]),
    ),
  );
}

function stopOf(container: ObservedContainer): Step {
  const { id, workload, stopGraceMs } = container;
  return { kind: 'stop', container: id, workload, graceMs: stopGraceMs };
}

/**
 * Starts that are possible now, and the waits of the others. A release that was good once starts also behind
 * a dependency that is sick now (after a reboot, say): part of it is better than none of it.
 */
export function startSteps(whole: Whole, observed: Observed, isGood: boolean): Step[] {
  return whole.members.flatMap((member): Step[] => {
    if (containerOf(member, observed)?.status !== undefined) return [];
    const backoff = heldUp(observed, member.id);
    if (backoff !== undefined) return waitFor(backoff);
    const blocked = blockedBy(member, whole, observed, isGood);
    if (blocked !== undefined) {
      const message = `${member.workload.name} waits for ${blocked}`;
      return [{ kind: 'wait', code: 'PLAN_DEPENDS', message, untilMs: null }];
    }
    return [{ kind: 'start', container: member.id, workload: member.workload.name }];
  });
}

/** A good release's container that its keeper has given up on is stopped, to be started again. */
export function retrySteps(whole: Whole, observed: Observed): Step[] {
  return whole.members.flatMap((member): Step[] => {
    const container = containerOf(member, observed);
    if (container?.status?.state !== 'failed') return [];
    const message = container.status.error?.message ?? 'the container failed';
    return [{ ...stopOf(container), because: { code: 'GATE_FAILED', message } } as Step];
  });
}

function containerOf(member: Member, observed: Observed): ObservedContainer | undefined {
  return observed.containers.find(({ id }) => id === member.id);
}

function blockedBy(
  member: Member,
  whole: Whole,
  observed: Observed,
  isGood: boolean,
): string | undefined {
  return Object.entries(member.workload.dependsOn ?? {}).find(([name, condition]) => {
    const other = whole.members.find(({ workload }) => workload.name === name);
    if (other === undefined) return false; // refusal.ts has refused such a release
    const status = containerOf(other, observed)?.status;
    if (status === undefined) return true;
    const isMissed = isGood && condition !== 'service_completed_successfully' && isSick(status);
    return !isMissed && !isReached(condition, other, status);
  })?.[0];
}

function isSick(status: KeepStatus): boolean {
  const isOver = status.state === 'failed' || status.state === 'exited';
  return isOver || status.health === 'unhealthy';
}

function isReached(condition: string, other: Member, status: KeepStatus): boolean {
  if (condition === 'service_completed_successfully') {
    return status.state === 'exited' && status.exit?.code === 0;
  }
  const isUp = status.state === 'running' || isCompleted(other, status);
  if (condition === 'service_started') return isUp || status.state === 'exited';
  return isUp && (status.health === 'healthy' || status.health === 'none');
}
