// SPDX-License-Identifier: Apache-2.0
// The linux section of config.json: namespaces, limits, devices, hidden paths, seccomp.

import type { Workload } from '../../protocol/release.js';
import type { AskedDevice } from './host.js';
import { cgroupOf } from './limits.js';
import type { OciDevice, OciDeviceRule, OciLinux } from './oci.js';
import { seccompOf } from './seccomp.js';

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

export interface LinuxFacts {
  readonly cgroupsPath: string;
  /** The image's, as OCI names it. */
  readonly architecture: string;
  readonly capabilities: readonly string[];
  /** Of the device, for a privileged workload. */
  readonly devices: readonly OciDevice[];
  /** Those that the workload named. */
  readonly asked: readonly AskedDevice[];
  /** The device's, x.y. */
  readonly kernel: string;
  /** A network namespace to enter instead of a new one. */
  readonly netPath?: string | undefined;
}

/** @throws RUN_SECCOMP */
export function linuxOf(workload: Workload, facts: LinuxFacts): OciLinux {
  const privileged = workload.privileged === true;
  const filter = privileged ? undefined : seccompOf(workload.security?.seccomp, facts);
  return {
    namespaces: namespacesOf(workload, facts.netPath),
    cgroupsPath: facts.cgroupsPath,
    resources: {
      devices: privileged ? [{ allow: true, access: 'rwm' }] : rulesOf(facts.asked),
      ...cgroupOf(workload.resources),
    },
    devices: devicesOf(privileged ? facts.devices : [], facts.asked),
    sysctl: { ...(hasOwnNetwork(workload) ? ownNetworkSysctl : {}), ...workload.sysctls },
    rootfsPropagation: 'rprivate',
    maskedPaths: privileged ? [] : masked,
    readonlyPaths: privileged ? [] : readOnly,
    ...(filter === undefined ? {} : { seccomp: filter }),
  };
}

/** As Docker: in a container's own network nobody needs a capability for a low port or a ping. */
const ownNetworkSysctl: Readonly<Record<string, string>> = {
  'net.ipv4.ip_unprivileged_port_start': '0',
  'net.ipv4.ping_group_range': '0 2147483647',
};

function hasOwnNetwork({ networkMode = 'bridge' }: Workload): boolean {
  return networkMode === 'bridge' || networkMode === 'none';
}

function namespacesOf(workload: Workload, netPath: string | undefined): OciLinux['namespaces'] {
  const network = workload.networkMode === 'host' ? [] : ['network'];
  return ['pid', ...network, 'ipc', 'uts', 'mount', 'cgroup'].map((type) =>
    type === 'network' && netPath !== undefined ? { type, path: netPath } : { type },
  );
}

function rulesOf(asked: readonly AskedDevice[]): OciDeviceRule[] {
  const own = asked.map(({ device: { type, major, minor }, access }): OciDeviceRule => {
    return { allow: true, type, major, minor, access };
  });
  return [...deviceRules, ...own];
}

/** A named device takes the place of the device's own node of that path. */
function devicesOf(all: readonly OciDevice[], asked: readonly AskedDevice[]): OciDevice[] {
  const byPath = new Map(
    [...all, ...asked.map(({ device }) => device)].map((one) => [one.path, one]),
  );
  return [...byPath.values()];
}
