// SPDX-License-Identifier: Apache-2.0
// The linux section of config.json: namespaces, limits, devices, hidden paths, seccomp.

import type { Workload } from '../../protocol/release.js';
import type { OciDevice, OciDeviceRule, OciLinux, OciResources } from './oci.js';
import { seccomp } from './seccomp.js';

const cpuPeriodUs = 100_000;
/** The kernel takes no quota below 1 ms, so a very small share needs its longest period. */
const cpuPeriodLongUs = 1_000_000;
const cpuQuotaMinUs = 1000;

const masked: readonly string[] = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];

const readOnly: readonly string[] = [
  '/proc/bus',
  '/proc/fs',
  '/proc/irq',
  '/proc/sys',
  '/proc/sysrq-trigger',
];

/** The nodes that every container has, as the runtime-spec lists them, and mknod without use of the node. */
const deviceRules: readonly OciDeviceRule[] = [
  { allow: false, access: 'rwm' },
  { allow: true, type: 'c', access: 'm' },
  { allow: true, type: 'b', access: 'm' },
  ...[
    [1, 3],
    [1, 5],
    [1, 7],
    [1, 8],
    [1, 9],
    [5, 0],
    [5, 1],
    [5, 2],
  ].map(
    ([major = 0, minor = 0]): OciDeviceRule => ({
      allow: true,
      type: 'c',
      major,
      minor,
      access: 'rwm',
    }),
  ),
  { allow: true, type: 'c', major: 136, access: 'rwm' },
];

export function linuxOf(
  workload: Workload,
  facts: {
    cgroupsPath: string;
    /** The image's, as OCI names it. */
    architecture: string;
    capabilities: readonly string[];
    devices: readonly OciDevice[];
  },
): OciLinux {
  const privileged = workload.privileged === true;
  const filter = privileged ? undefined : seccomp(facts.architecture, facts.capabilities);
  return {
    namespaces: ['pid', 'network', 'ipc', 'uts', 'mount', 'cgroup'].map((type) => ({ type })),
    cgroupsPath: facts.cgroupsPath,
    resources: resourcesOf(workload, privileged),
    devices: privileged ? facts.devices : [],
    // As Docker: in a container's own network nobody needs a capability for a low port or a ping.
    sysctl: {
      'net.ipv4.ip_unprivileged_port_start': '0',
      'net.ipv4.ping_group_range': '0 2147483647',
    },
    rootfsPropagation: 'rprivate',
    maskedPaths: privileged ? [] : masked,
    readonlyPaths: privileged ? [] : readOnly,
    ...(filter === undefined ? {} : { seccomp: filter }),
  };
}

function resourcesOf(workload: Workload, privileged: boolean): OciResources {
  const { memoryMaxBytes, cpuMaxMillis, pidsMax } = workload.resources;
  return {
    devices: privileged ? [{ allow: true, access: 'rwm' }] : deviceRules,
    // Swap is memory and swap together: equal means that the limit is not stretched by swapping to flash.
    ...(memoryMaxBytes === undefined
      ? {}
      : { memory: { limit: memoryMaxBytes, swap: memoryMaxBytes } }),
    ...(cpuMaxMillis === undefined ? {} : { cpu: cpuOf(cpuMaxMillis) }),
    ...(pidsMax === undefined ? {} : { pids: { limit: pidsMax } }),
  };
}

export function cpuOf(millis: number): { quota: number; period: number } {
  const quota = Math.round((millis * cpuPeriodUs) / 1000);
  if (quota >= cpuQuotaMinUs) return { quota, period: cpuPeriodUs };
  return { quota: Math.max(cpuQuotaMinUs, millis * 1000), period: cpuPeriodLongUs };
}
