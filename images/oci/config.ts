// SPDX-License-Identifier: Apache-2.0
// The image configuration (OCI image-spec config.md), as far as a runtime needs it.

import type { Digest } from '../../protocol/name.js';

export interface ImageConfig {
  readonly architecture: string;
  readonly os: string;
  readonly variant?: string;
  readonly created?: string;
  /** Lowest layer first. */
  readonly diffIds: readonly Digest[];
  readonly user?: string;
  readonly env: readonly string[];
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly workingDir?: string;
  readonly stopSignal?: string;
  readonly volumes: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  /** Docker's extension: ["CMD", …], ["CMD-SHELL", …] or ["NONE"]; durations in nanoseconds in the file, ms here. */
  readonly healthcheck?: {
    readonly test: readonly string[];
    readonly intervalMs?: number;
    readonly timeoutMs?: number;
    readonly startPeriodMs?: number;
    readonly retries?: number;
  };
}
