// SPDX-License-Identifier: Apache-2.0
// The picture of reality that a plan is made from: plain JSON, gathered by observe, `now` included.

import type { Code } from '../../protocol/codes.js';
import type { KeepStatus } from '../../protocol/keeper.js';
import type { Digest } from '../../protocol/name.js';
import type { Release, Workload } from '../../protocol/release.js';

/** A release as the device holds it. */
export interface HeldRelease {
  readonly digest: Digest;
  readonly release: Release;
  /** Spec digest of each workload, in the release's order (observe computes them: a plan has no hash). */
  readonly specs: readonly Digest[];
}

/** The release that is being tried: switched to and not yet good. */
export interface Trial {
  readonly release: Digest;
  /** Monotonic of this boot, ms; a trial found after a reboot begins its gate anew. */
  readonly switchedAtMs: number;
  /** Since when all has been well; null = not yet. */
  readonly wellSinceMs: number | null;
  /** Restarts that a container had before the switch: an untouched one is not blamed for them. */
  readonly baseline: readonly Baseline[];
}

export interface Baseline {
  readonly container: string;
  readonly restartCount: number;
}

export interface ObservedContainer {
  readonly id: string;
  readonly workload: string;
  /** SHA-256 of what it was made from (workload and image config): the same spec is the same container. */
  readonly spec: Digest;
  readonly image: Digest;
  readonly stopGraceMs: number;
  /** Absent: the bundle is there and no keeper runs. */
  readonly status?: KeepStatus;
}

export interface ObservedImage {
  /** Of the index or manifest, as a release names it. */
  readonly digest: Digest;
  readonly unpackedBytes: number;
  readonly usedAtMs: number;
}

/** A failure of a step that must not be tried before `notBeforeMs`. */
export interface Backoff {
  /** The step's subject: an image digest, a container id. */
  readonly subject: string;
  readonly code: Code;
  readonly message: string;
  readonly attempts: number;
  readonly notBeforeMs: number;
}

export interface FailedRelease {
  readonly release: Digest;
  readonly code: Code;
  readonly message: string;
  /** The good release runs whole again since, and that was said. */
  readonly returned: boolean;
}

export interface Observed {
  /** Monotonic of this boot, ms. */
  readonly nowMs: number;
  /** What the last accepted assignment asks for; undefined = nothing was ever asked; null = run nothing. */
  readonly desired: { readonly generation: number; readonly release: Digest | null } | undefined;
  /** Every release that the device holds the document of. */
  readonly releases: readonly HeldRelease[];
  /** The last release that passed its gate. */
  readonly good: Digest | null;
  readonly trial: Trial | null;
  /** Releases that failed here, and why; never tried again. */
  readonly failed: readonly FailedRelease[];
  readonly images: readonly ObservedImage[];
  readonly containers: readonly ObservedContainer[];
  readonly backoffs: readonly Backoff[];
  /** What this device forbids or bounds, from its own configuration. */
  readonly policy: Policy;
  /** What was accepted before the store was damaged is not known any more. */
  readonly isFloorLost: boolean;
  readonly diskFreeBytes: number;
  /** Below this much free space unused images are pruned. */
  readonly diskLowBytes: number;
}

/** The device's own word, which outranks every release. */
export interface Policy {
  readonly allowPrivileged: boolean;
  readonly allowDevices: boolean;
  /** Host paths below which binds are allowed; an empty list forbids all. */
  readonly bindRoots: readonly string[];
  /** Workloads in the device's own network. */
  readonly allowHostNetwork: boolean;
  /** Capabilities that may be added beside those that every container has. */
  readonly allowCapabilities: readonly string[];
  readonly allowSysctls: boolean;
  /** A seccomp profile of the release's own, or none: either may open what ours closes. */
  readonly allowSeccomp: boolean;
}

/** What holds where the device says nothing: all is forbidden. */
export const strictPolicy: Policy = {
  allowPrivileged: false,
  allowDevices: false,
  bindRoots: [],
  allowHostNetwork: false,
  allowCapabilities: [],
  allowSysctls: false,
  allowSeccomp: false,
};

/** Container id of a workload made from a spec: stable, so that an unchanged workload is not touched. */
export function containerId(workload: Workload, spec: Digest): string {
  return `${workload.name}-${spec.slice('sha256:'.length, 'sha256:'.length + 10)}`;
}
