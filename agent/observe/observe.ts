// SPDX-License-Identifier: Apache-2.0
// Gathers the picture that a plan is made from: what the store holds and what the keepers say. It changes
// nothing and decides nothing.

import type { Clock } from '../../adapters/clock.js';
import type { Assignment } from '../../protocol/assignment.js';
import { isCode } from '../../protocol/codes.js';
import type { Digest } from '../../protocol/name.js';
import type { Release } from '../../protocol/release.js';
import type { FailedRelease, Observed, ObservedContainer, Policy } from '../plan/observed.js';
import { sharedOf } from '../run/shared.js';
import type { MadeContainer, Run } from '../run/types.js';
import type { Store } from '../store/types.js';
import { specOf } from './spec.js';
import { completed, variablesOf } from './variables.js';

export interface ObserveSources {
  readonly store: Store;
  readonly run: Pick<Run, 'list'>;
  readonly clock: Clock;
  readonly policy: Policy;
  readonly diskLowBytes: number;
}

export async function observe(sources: ObserveSources): Promise<Observed> {
  const { store, run, clock, policy, diskLowBytes } = sources;
  const [
    accepted,
    isFloorLost,
    releases,
    good,
    trial,
    failed,
    images,
    backoffs,
    diskFreeBytes,
    containers,
  ] = await Promise.all([
    store.desired.assignment(),
    store.desired.isFloorLost(),
    store.desired.releases(),
    store.verdicts.good(),
    store.verdicts.trial(),
    store.verdicts.failed(),
    store.images.list(),
    store.journal.backoffs(),
    store.freeBytes(),
    run.list(),
  ]);
  const assignment = accepted?.assignment;
  return {
    nowMs: Math.floor(clock.monotonicMs()),
    desired:
      assignment === undefined
        ? undefined
        : { generation: assignment.generation, release: assignment.release?.digest ?? null },
    releases: releases.map(({ digest, release }) => heldOf(digest, release, assignment)),
    good,
    trial,
    failed: failed.map(failedOf),
    images: images.map(({ digest, unpackedBytes, usedAt }) => ({
      digest,
      unpackedBytes,
      usedAtMs: usedAt,
    })),
    containers: containers.map(containerOf),
    backoffs,
    policy,
    isFloorLost,
    diskFreeBytes,
    diskLowBytes,
  };
}

function heldOf(
  digest: Digest,
  stored: Release,
  assignment: Assignment | undefined,
): Observed['releases'][number] {
  const release = completed(stored, variablesOf(assignment, stored.app));
  const specs = release.workloads.map((one) => specOf(one, sharedOf(release, one)));
  return { digest, release, specs };
}

type FailedRow = Awaited<ReturnType<Store['verdicts']['failed']>>[number];

/** A code of a newer agent, which then went away, is BUG here; the message still has the reason. */
function failedOf({ release, code, message, returned }: FailedRow): FailedRelease {
  return { release, code: isCode(code) ? code : 'BUG', message, returned };
}

function containerOf(made: MadeContainer): ObservedContainer {
  return {
    id: made.id,
    workload: made.workload.name,
    spec: made.spec,
    image: made.image,
    stopGraceMs: made.workload.stopGraceMs,
    ...(made.status === undefined ? {} : { status: made.status }),
  };
}
