// SPDX-License-Identifier: Apache-2.0
// The order in which workloads start: each behind those it depends on, otherwise as the release lists them.

import type { Digest } from '../../protocol/name.js';
import type { Release, Workload } from '../../protocol/release.js';
import { containerId, type HeldRelease } from './observed.js';

/** A workload of a release with the container that it is to be. */
export interface Member {
  readonly workload: Workload;
  readonly spec: Digest;
  readonly id: string;
}

/** A release with its members in dependency order. */
export interface Whole {
  readonly digest: Digest;
  readonly release: Release;
  readonly members: readonly Member[];
}

export function wholeOf(held: HeldRelease): Whole {
  const given = held.release.workloads.flatMap((workload, at): Member[] => {
    const spec = held.specs[at];
    return spec === undefined ? [] : [{ workload, spec, id: containerId(workload, spec) }];
  });
  const { ordered, circle } = inOrder(given);
  return { digest: held.digest, release: held.release, members: [...ordered, ...circle] };
}

/** Names of the workloads that stand in a circle; empty where there is none. */
export function circleOf(workloads: readonly Workload[]): string[] {
  return inOrder(workloads.map((workload) => ({ workload }))).circle.map(
    ({ workload }) => workload.name,
  );
}

function inOrder<T extends { workload: Workload }>(given: readonly T[]): Record<Half, T[]> {
  const ordered: T[] = [];
  const placed = new Set<string>();
  let rest = [...given];
  // Each round places at least one or ends: at most as many rounds as workloads (64).
  while (rest.length > 0) {
    const ready = rest.filter(({ workload }) => isReady(workload, placed, rest));
    if (ready.length === 0) break;
    for (const item of ready) placed.add(item.workload.name);
    ordered.push(...ready);
    rest = rest.filter((item) => !ready.includes(item));
  }
  return { ordered, circle: rest };
}

type Half = 'ordered' | 'circle';

/** A dependency on a workload that is not there does not hold the order up: refusal.ts names it. */
function isReady(
  workload: Workload,
  placed: ReadonlySet<string>,
  rest: ReadonlyArray<{ workload: Workload }>,
): boolean {
  return Object.keys(workload.dependsOn ?? {}).every(
    (name) => placed.has(name) || !rest.some((other) => other.workload.name === name),
  );
}
