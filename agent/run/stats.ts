// SPDX-License-Identifier: Apache-2.0
// What running containers use. The share of CPU is taken over the time since the last call, or over a short
// wait where there was none lately.

import type { Clock } from '../../adapters/clock.js';
import type { LocalStats } from '../../protocol/local.js';
import { foldersOfProcess, readUsage, type Usage } from './cgroup.js';
import type { MadeContainer } from './types.js';

const firstIntervalMs = 250;
const intervalMsMax = 60_000;
/** Shorter than this the kernel's own granularity would be the result. */
const intervalMsMin = 50;

interface Sample {
  readonly pid: number;
  readonly atMs: number;
  readonly cpuUsageUs: number;
}

export class Meter {
  readonly #clock: Clock;
  readonly #cgroupParent: string;
  #samples = new Map<string, Sample>();

  constructor(clock: Clock, cgroupParent: string) {
    this.#clock = clock;
    this.#cgroupParent = cgroupParent;
  }

  /** One entry for each container that has a process. */
  async read(containers: readonly MadeContainer[]): Promise<LocalStats[]> {
    const running = containers.filter((one) => (one.status?.pid ?? 0) > 0);
    const ids = new Set(running.map((one) => one.id));
    this.#samples = new Map([...this.#samples].filter(([id]) => ids.has(id)));
    if (running.some((one) => !this.#isFresh(one))) {
      for (const one of running) if (!this.#isFresh(one)) await this.#sample(one);
      await this.#clock.sleep(firstIntervalMs);
    }
    const stats = await Promise.all(running.map((one) => this.#statsOf(one)));
    return stats.filter((one) => one !== undefined);
  }

  #isFresh(container: MadeContainer): boolean {
    const sample = this.#samples.get(container.id);
    const ageMs = this.#clock.monotonicMs() - (sample?.atMs ?? 0);
    return (
      sample?.pid === container.status?.pid && ageMs <= intervalMsMax && ageMs >= intervalMsMin
    );
  }

  async #sample(container: MadeContainer): Promise<Usage | undefined> {
    const pid = container.status?.pid ?? 0;
    const folders = await foldersOfProcess(pid, `${this.#cgroupParent}/${container.id}`);
    if (folders === undefined) return undefined;
    const usage = await readUsage(folders);
    const atMs = this.#clock.monotonicMs();
    this.#samples.set(container.id, { pid, atMs, cpuUsageUs: usage.cpuUsageUs });
    return usage;
  }

  async #statsOf(container: MadeContainer): Promise<LocalStats | undefined> {
    const before = this.#samples.get(container.id);
    const usage = await this.#sample(container);
    if (usage === undefined) return undefined;
    const now = this.#samples.get(container.id);
    const spanMs = (now?.atMs ?? 0) - (before?.atMs ?? now?.atMs ?? 0);
    const usedMs = (usage.cpuUsageUs - (before?.cpuUsageUs ?? usage.cpuUsageUs)) / 1000;
    return {
      container: container.id,
      workload: container.workload.name,
      memoryBytes: usage.memoryBytes,
      memoryMaxBytes: usage.memoryMaxBytes,
      cpuUsageMs: Math.round(usage.cpuUsageUs / 1000),
      cpuPercent: spanMs <= 0 ? 0 : Math.round((Math.max(0, usedMs) / spanMs) * 10_000) / 100,
      cpuMaxMillis: usage.cpuMaxMillis,
      pids: usage.pids,
      pidsMax: usage.pidsMax,
    };
  }
}
