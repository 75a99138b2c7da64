// SPDX-License-Identifier: Apache-2.0
// Which capabilities a container gets: Docker's default set, capAdd and capDrop with ALL, or all of them for a
// privileged one. ALL means all that this process itself has: nobody can give what he lacks.

import { defaultCapabilities } from '../../protocol/capability.js';
import type { Workload } from '../../protocol/release.js';

/** In the kernel's order: the bit is the index (linux/capability.h). */
const names =
  `CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
  NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT
  SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE
  AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ
  PERFMON BPF CHECKPOINT_RESTORE`
    .split(/\s+/)
    .map((name) => `CAP_${name}`);

/** The capabilities of a mask as /proc/PID/status prints it (16 hex digits). */
export function capabilitiesOf(mask: string): string[] {
  const bits = BigInt(`0x${mask}`);
  return names.filter((_, at) => ((bits >> BigInt(at)) & 1n) === 1n);
}

/**
 * `available`: what ALL stands for. A capability that is named and not available stays in the list, so that
 * the runtime refuses the container with its name instead of running it with less than it asked for.
 */
export function capabilities(
  workload: Pick<Workload, 'privileged' | 'capAdd' | 'capDrop'>,
  available: readonly string[],
): string[] {
  const add = workload.capAdd ?? [];
  const drop = new Set(workload.capDrop ?? []);
  if (workload.privileged === true) return available.filter((name) => !drop.has(name));
  const base = drop.has('ALL') ? [] : defaultCapabilities;
  const wide = add.includes('ALL') ? available : [];
  const all = new Set([...base, ...wide, ...add.filter((name) => name !== 'ALL')]);
  return [...all].filter((name) => !drop.has(name)).sort();
}
