// SPDX-License-Identifier: Apache-2.0
// Limits that a process carries (setrlimit, the OOM score) and those of its cgroup, from what a workload asks
// for. What the agent itself may not set is refused by name: a limit is never quietly another one.

import { CodedError } from '../../protocol/error.js';
import type { Resources } from '../../protocol/isolation.js';
import type { Workload } from '../../protocol/release.js';
import type { Host } from './host.js';
import type { OciProcess, OciResources } from './oci.js';

/** Many programs walk all descriptors up to the soft limit; those that need more raise it to the hard one. */
const nofileSoft = 1024;
const nofileHard = 524_288;
/** JSON carries whole numbers up to here; the kernel's own word for "none" is above it. */
const noLimit = Number.MAX_SAFE_INTEGER;
const raiser = 'CAP_SYS_RESOURCE';

const cpuPeriodUs = 100_000;
/** The kernel takes no quota below 1 ms, so a very small share needs its longest period. */
const cpuPeriodLongUs = 1_000_000;
const cpuQuotaMinUs = 1000;

/** Open files always have one; the others are as the agent has them unless asked for. @throws RUN_LIMIT */
export function rlimitsOf(
  workload: Pick<Workload, 'name' | 'ulimits'>,
  host: Host,
): OciProcess['rlimits'] {
  const hard = Math.min(host.nofileMax, nofileHard);
  const asked = Object.entries({
    nofile: { soft: Math.min(nofileSoft, hard), hard },
    ...workload.ulimits,
  });
  return asked.map(([name, limit]) => ({
    type: `RLIMIT_${name.toUpperCase()}`,
    soft: limitOf(workload.name, name, limit.soft, host),
    hard: limitOf(workload.name, name, limit.hard, host),
  }));
}

function limitOf(workload: string, name: string, wanted: number, host: Host): number {
  const own = host.limits[name] ?? noLimit;
  const isFree = host.capabilities.includes(raiser) && name !== 'nofile';
  const max = Math.min(isFree ? noLimit : own, noLimit);
  if (wanted === -1 && (isFree || own === Infinity || name === 'nofile')) return max;
  if (wanted >= 0 && wanted <= max) return wanted;
  const asked = wanted === -1 ? 'no limit' : String(wanted);
  const what = `workload ${workload}: ulimit ${name} is to be ${asked}, and the agent's own hard limit is ${max}`;
  throw new CodedError('RUN_LIMIT', what, { workload, limit: name, max });
}

/** Absent: 0, or the agent's own where that is higher. @throws RUN_LIMIT */
export function oomScoreOf(workload: Pick<Workload, 'name' | 'resources'>, host: Host): number {
  const wanted = workload.resources.oomScoreAdj;
  if (wanted === undefined) return Math.max(0, host.oomScoreAdj);
  if (wanted >= host.oomScoreAdj || host.capabilities.includes(raiser)) return wanted;
  const what = `workload ${workload.name}: oom_score_adj is to be ${wanted}, below the agent's own ${host.oomScoreAdj}`;
  throw new CodedError('RUN_LIMIT', what, { workload: workload.name, limit: 'oom_score_adj' });
}

export function cgroupOf(asked: Resources): Omit<OciResources, 'devices'> {
  const memory = memoryOf(asked);
  const cpu = {
    ...(asked.cpuMaxMillis === undefined ? {} : cpuOf(asked.cpuMaxMillis)),
    ...(asked.cpuShares === undefined ? {} : { shares: asked.cpuShares }),
    ...(asked.cpuset === undefined ? {} : { cpus: asked.cpuset }),
  };
  return {
    ...(Object.keys(memory).length === 0 ? {} : { memory }),
    ...(Object.keys(cpu).length === 0 ? {} : { cpu }),
    ...(asked.pidsMax === undefined ? {} : { pids: { limit: asked.pidsMax } }),
  };
}

/** Swap is memory and swap together: equal means that the limit is not stretched by swapping to flash. */
function memoryOf(asked: Resources): NonNullable<OciResources['memory']> {
  const { memoryMaxBytes: limit, memoryReservationBytes: reservation } = asked;
  const swap = asked.memorySwapMaxBytes ?? limit;
  return {
    ...(limit === undefined ? {} : { limit }),
    ...(swap === undefined ? {} : { swap }),
    ...(reservation === undefined ? {} : { reservation }),
  };
}

export function cpuOf(millis: number): { quota: number; period: number } {
  const quota = Math.round((millis * cpuPeriodUs) / 1000);
  if (quota >= cpuQuotaMinUs) return { quota, period: cpuPeriodUs };
  return { quota: Math.max(cpuQuotaMinUs, millis * 1000), period: cpuPeriodLongUs };
}
