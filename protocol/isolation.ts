// SPDX-License-Identifier: Apache-2.0
// What a workload may use and may do: limits, rights, devices, kernel settings, system calls. The device's own
// policy decides whether it gets it (agent/plan/refusal.ts).

import {
  array,
  boolean,
  type Check,
  type Checked,
  integer,
  object,
  oneOf,
  optional,
  record,
  refuse,
  string,
} from './check.js';

const kib = 1024;
const tib = 1024 ** 4;

export const resources = object({
  memoryMaxBytes: optional(integer(128 * kib, tib)),
  /** Thousandths of a CPU: 500 = half a core. */
  cpuMaxMillis: optional(integer(1, 1_024_000)),
  pidsMax: optional(integer(1, 4_194_304)),
  /** What the kernel leaves to it when memory is short. */
  memoryReservationBytes: optional(integer(4 * kib, tib)),
  /** Memory and swap together, as Docker counts; -1 = as much swap as there is. Absent = no swap. */
  memorySwapMaxBytes: optional(integer(-1, tib)),
  /** CPUs by number: 0-2,4. */
  cpuset: optional(
    string({ pattern: /^\d{1,4}(-\d{1,4})?(,\d{1,4}(-\d{1,4})?){0,63}$/, form: 'CPUs like 0-2,4' }),
  ),
  /** Weight beside others; 1024 is the ordinary one. */
  cpuShares: optional(integer(2, 262_144)),
  /** Bytes of /dev/shm; absent = 64 MiB. */
  shmBytes: optional(integer(4 * kib, tib)),
  oomScoreAdj: optional(integer(-1000, 1000)),
});
export type Resources = Checked<typeof resources>;

/** -1 = without limit. */
const limit = integer(-1, Number.MAX_SAFE_INTEGER);

/** By their names in setrlimit(2), lower case without RLIMIT_. */
export const ulimits = record(
  oneOf(
    'as',
    'core',
    'cpu',
    'data',
    'fsize',
    'locks',
    'memlock',
    'msgqueue',
    'nice',
    'nofile',
    'nproc',
    'rss',
    'rtprio',
    'rttime',
    'sigpending',
    'stack',
  ),
  object({ soft: limit, hard: limit }),
  16,
);
export type Ulimits = Checked<typeof ulimits>;

/** Only what belongs to the container's own namespaces: everything else is the device's. */
export const sysctls = record(
  string({
    pattern:
      /^(net\.[a-z0-9_.*-]{1,120}|fs\.mqueue\.[a-z_]{1,32}|kernel\.(msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced))$/,
    form: 'a setting under net. or fs.mqueue., or of System V IPC',
  }),
  string({ pattern: /^[^\0\n]*$/, lengthMax: 256, form: 'one line' }),
  64,
);

export const device = object({
  /** The device's path, best a stable one: /dev/serial/by-id/…; or a folder of them. */
  source: string({
    pattern: /^\/dev\/(?!(?:.*\/)?\.{1,2}(?:\/|$))[^\0]+$/,
    lengthMax: 256,
    form: 'a path under /dev',
  }),
  /** Where the container finds it. */
  target: string({
    pattern: /^\/(?!(?:.*\/)?\.{1,2}(?:\/|$))[^\0]+$/,
    lengthMax: 256,
    form: 'an absolute path',
  }),
  /** r read, w write, m make the node. */
  permissions: string({ pattern: /^(?!.*(.).*\1)[rwm]{1,3}$/, form: 'letters of rwm' }),
});
export type Device = Checked<typeof device>;

export const capability = string({
  pattern: /^(ALL|CAP_[A-Z_]{2,32})$/,
  form: 'ALL or a capability like CAP_NET_ADMIN',
});

const action = oneOf(
  'SCMP_ACT_KILL',
  'SCMP_ACT_KILL_PROCESS',
  'SCMP_ACT_KILL_THREAD',
  'SCMP_ACT_TRAP',
  'SCMP_ACT_ERRNO',
  'SCMP_ACT_TRACE',
  'SCMP_ACT_ALLOW',
  'SCMP_ACT_LOG',
);
const syscallName = string({ pattern: /^[a-z0-9_]{1,64}$/, form: 'a system call' });
const architecture = string({ pattern: /^SCMP_ARCH_[A-Z0-9_]{2,24}$/, form: 'like SCMP_ARCH_ARM' });
const errno = integer(0, 4095);
const argument = object({
  index: integer(0, 5),
  value: integer(0, Number.MAX_SAFE_INTEGER),
  valueTwo: optional(integer(0, Number.MAX_SAFE_INTEGER)),
  op: oneOf(
    'SCMP_CMP_NE',
    'SCMP_CMP_LT',
    'SCMP_CMP_LE',
    'SCMP_CMP_EQ',
    'SCMP_CMP_GE',
    'SCMP_CMP_GT',
    'SCMP_CMP_MASKED_EQ',
  ),
});
const when = object({
  caps: optional(array(capability, 64)),
  /** As OCI names them: amd64, arm64, arm. */
  arches: optional(array(string({ lengthMax: 32 }), 32)),
  minKernel: optional(string({ pattern: /^\d{1,3}\.\d{1,3}$/, form: 'a kernel like 4.8' })),
});

/** Docker's form of a seccomp profile; comments and `name` of one call are folded in by the fleet. */
export const seccompProfile = object({
  defaultAction: action,
  defaultErrnoRet: optional(errno),
  archMap: optional(
    array(object({ architecture, subArchitectures: optional(array(architecture, 8)) }), 32),
  ),
  architectures: optional(array(architecture, 32)),
  syscalls: array(
    object({
      names: array(syscallName, 512),
      action,
      errnoRet: optional(errno),
      args: optional(array(argument, 6)),
      includes: optional(when),
      excludes: optional(when),
    }),
    256,
  ),
});
export type SeccompProfile = Checked<typeof seccompProfile>;

const seccomp: Check<'unconfined' | SeccompProfile> = (value, path) => {
  if (value === 'unconfined') return value;
  if (typeof value !== 'object') refuse(path, '"unconfined" or a profile');
  return seccompProfile(value, path);
};

export const security = object({
  noNewPrivileges: optional(boolean),
  /** Absent = our own policy (agent/run/syscalls.ts). */
  seccomp: optional(seccomp),
});
export type Security = Checked<typeof security>;
