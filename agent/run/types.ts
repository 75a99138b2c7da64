// SPDX-License-Identifier: Apache-2.0
// What run offers to apply, observe and local.

import type { ImageConfig } from '../../images/oci/config.js';
import type { KeepStatus } from '../../protocol/keeper.js';
import type { LocalStats, LogLine } from '../../protocol/local.js';
import type { Digest } from '../../protocol/name.js';
import type { Workload } from '../../protocol/release.js';
import type { Shared } from './shared.js';

/** Everything that a bundle is made from. */
export interface ContainerSpec {
  readonly id: string;
  readonly spec: Digest;
  readonly release: Digest;
  readonly workload: Workload;
  readonly image: Digest;
  readonly config: ImageConfig;
  /** Unpacked layer folders, lowest first. */
  readonly layers: readonly string[];
  /** What the workload uses of its release's networks, volumes and configs; absent = nothing. */
  readonly shared?: Shared;
}

/** A container whose bundle is on disk. */
export interface MadeContainer {
  readonly id: string;
  readonly spec: Digest;
  readonly release: Digest;
  readonly image: Digest;
  readonly workload: Workload;
  /** IPv4 address on the bridge; null where it has no link. */
  readonly address: string | null;
  /** Absent where no keeper runs. */
  readonly status?: KeepStatus;
}

export interface LogQuery {
  readonly tail?: number;
  readonly follow?: boolean;
  readonly signal?: AbortSignal;
}

export interface Run {
  /** Writes the bundle whole; doing it again with the same spec changes nothing. @throws RUN_* */
  create(spec: ContainerSpec): Promise<void>;
  /** Starts the keeper unless one is there, and returns once it has the container running or says it failed. @throws RUN_*, BOX_* */
  start(id: string): Promise<void>;
  /** Tells the keeper to stop the container and end; SIGKILL after the grace. Absent is fine. */
  stop(id: string, graceMs: number): Promise<void>;
  /** Removes bundle, writable layer, logs and exit records of a stopped container. Volumes stay. */
  remove(id: string): Promise<void>;
  list(): Promise<MadeContainer[]>;
  stats(): Promise<LocalStats[]>;
  logs(id: string, query: LogQuery): AsyncIterable<LogLine>;
  /** Calls back when a keeper's status changed. Returns what ends the watch. */
  watch(changed: (id: string) => void): () => void;
}
