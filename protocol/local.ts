// SPDX-License-Identifier: Apache-2.0
// What `wherry` and `wherryd` say to each other: HTTP/1.1 over the unix socket <run>/wherryd.sock, JSON
// bodies. Reads never start an effect. Errors come as {code, message, facts} with status 4xx or 5xx.

import type { Condition, Reported } from './device.js';

export interface LocalStatus {
  readonly agent: string;
  readonly device: string | null;
  readonly tenant: string | null;
  readonly linked: boolean;
  readonly epoch: number;
  readonly generation: number;
  readonly release: { digest: string; app: string; version: string } | null;
  readonly good: { digest: string; app: string; version: string } | null;
  readonly failed: Reported['failed'] | null;
  readonly step: string | null;
  readonly conditions: readonly Condition[];
}

export interface LocalContainer {
  readonly container: string;
  readonly workload: string;
  readonly image: string;
  readonly imageDigest: string;
  readonly state: string;
  readonly health: string;
  readonly restartCount: number;
  readonly pid: number;
  readonly startedAt: string | null;
  readonly ports: readonly string[];
  readonly address: string | null;
  readonly exit: { code: number; oomKilled: boolean; at: string } | null;
}

export interface LocalStats {
  readonly container: string;
  readonly workload: string;
  readonly memoryBytes: number;
  readonly memoryMaxBytes: number | null;
  /** CPU time used since the container's start, and over the last interval in percent of one core. */
  readonly cpuUsageMs: number;
  readonly cpuPercent: number;
  readonly cpuMaxMillis: number | null;
  readonly pids: number;
  readonly pidsMax: number | null;
}

export interface LocalImage {
  readonly reference: string;
  readonly digest: string;
  readonly layers: number;
  readonly unpackedBytes: number;
  readonly inUse: boolean;
}

/** One line of a workload's log (the CRI log form on disk). */
export interface LogLine {
  readonly at: string;
  readonly stream: 'stdout' | 'stderr';
  readonly text: string;
}

/** Why the device is as it is: the chain of causes, newest first. */
export interface LocalWhy {
  readonly summary: string;
  readonly events: ReadonlyArray<{
    at: string;
    type: string;
    code: string | null;
    message: string;
  }>;
}
