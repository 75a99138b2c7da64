// SPDX-License-Identifier: Apache-2.0
// Builders of what the agent reads: workloads, releases, assignments, statuses, pictures. Each gives something
// valid; the test names only what it is about.

import { createHash } from 'node:crypto';
import { specOf } from '../../agent/observe/spec.js';
import {
  containerId,
  type HeldRelease,
  type Observed,
  type ObservedContainer,
  strictPolicy,
} from '../../agent/plan/observed.js';
import type { Assignment } from '../../protocol/assignment.js';
import type { KeepStatus } from '../../protocol/keeper.js';
import type { Digest } from '../../protocol/name.js';
import type { Release, Workload } from '../../protocol/release.js';

export function digestFor(text: string): Digest {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

export function aWorkload(changed: Partial<Workload> & { tag?: string } = {}): Workload {
  const { tag = 'v1', ...fields } = changed;
  const name = fields.name ?? 'web';
  return {
    name,
    image: { reference: `registry.test/${name}:${tag}`, digest: digestFor(`${name}:${tag}`) },
    restart: { policy: 'always', retryCountMax: 0 },
    stopGraceMs: 1000,
    resources: {},
    ...fields,
  };
}

export const aHealthcheck = {
  test: ['/bin/true'],
  intervalMs: 1000,
  timeoutMs: 1000,
  retryCountMax: 3,
  startPeriodMs: 0,
  startIntervalMs: 1000,
};

export function aRelease(changed: Partial<Release> = {}): Release {
  return {
    kind: 'release/v1',
    app: 'shop',
    version: 'v1',
    counter: 1,
    createdAt: '2026-01-01T00:00:00Z',
    gate: { bakeMs: 5000, deadlineMs: 60_000 },
    workloads: [aWorkload()],
    ...changed,
  };
}

export function releaseDigest(release: Release): Digest {
  return digestFor(JSON.stringify(release));
}

export function held(release: Release): HeldRelease {
  return {
    digest: releaseDigest(release),
    release,
    specs: release.workloads.map((one) => specOf(one)),
  };
}

export function idOf(workload: Workload): string {
  return containerId(workload, specOf(workload));
}

export function aStatus(changed: Partial<KeepStatus> = {}): KeepStatus {
  return {
    id: 'web',
    keeperPid: 100,
    state: 'running',
    pid: 101,
    startedAt: '2026-01-01T00:00:00Z',
    restartCount: 0,
    health: 'none',
    ...changed,
  };
}

export function aContainer(
  workload: Workload,
  status: Partial<KeepStatus> | null = {},
): ObservedContainer {
  const id = idOf(workload);
  return {
    id,
    workload: workload.name,
    spec: specOf(workload),
    image: workload.image.digest,
    stopGraceMs: workload.stopGraceMs,
    ...(status === null ? {} : { status: aStatus({ id, ...status }) }),
  };
}

export function anObserved(changed: Partial<Observed> = {}): Observed {
  return {
    nowMs: 100_000,
    desired: undefined,
    releases: [],
    good: null,
    trial: null,
    failed: [],
    images: [],
    containers: [],
    backoffs: [],
    policy: strictPolicy,
    isFloorLost: false,
    diskFreeBytes: 1e9,
    diskLowBytes: 1e8,
    ...changed,
  };
}

export function imagesOf(...releases: readonly Release[]): Observed['images'] {
  const digests = new Set(
    releases.flatMap(({ workloads }) => workloads.map(({ image }) => image.digest)),
  );
  return [...digests].map((digest, at) => ({ digest, unpackedBytes: 1000, usedAtMs: at }));
}

export function anAssignment(changed: Partial<Assignment> = {}): Assignment {
  const release = aRelease();
  return {
    kind: 'assignment/v1',
    tenant: 'acme',
    device: 'dev-1',
    epoch: 1,
    generation: 1,
    release: { digest: releaseDigest(release), app: release.app, counter: release.counter },
    issuedAt: '2026-01-01T00:00:00Z',
    ...changed,
  };
}
