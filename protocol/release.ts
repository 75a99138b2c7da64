// SPDX-License-Identifier: Apache-2.0
// A release: a named, signed set of workloads. It is immutable; its name everywhere is the SHA-256 of its
// payload bytes. Made from a Compose file by the fleet side, read by devices.

import {
  array,
  boolean,
  type Checked,
  instant,
  integer,
  object,
  oneOf,
  optional,
  record,
  string,
} from './check.js';
import { digest, labelKey, workloadName } from './name.js';

const kib = 1024;
const tib = 1024 ** 4;
const dayMs = 86_400_000;

/** An absolute path inside the container, without `.` and `..`. */
export const containerPath = string({
  pattern: /^\/(?!(?:.*\/)?\.{1,2}(?:\/|$))[^\0:]*$/,
  lengthMax: 1024,
  form: 'an absolute path without . or .. or colon',
});

const port = object({
  /** Address on the device; absent = every address. */
  hostIp: optional(string({ pattern: /^[0-9a-fA-F.:]{2,45}$/, form: 'an IP address' })),
  published: integer(1, 65_535),
  target: integer(1, 65_535),
  protocol: oneOf('tcp', 'udp'),
});

const mount = object({
  type: oneOf('volume', 'bind', 'tmpfs'),
  /** The volume's name, or the host's path; absent for tmpfs. */
  source: optional(string({ lengthMax: 1024 })),
  target: containerPath,
  readOnly: optional(boolean),
  /** tmpfs only; bytes. */
  sizeMaxBytes: optional(integer(4 * kib, tib)),
});

/**
 * Compose `healthcheck`. `test` is an argv to run in the container; the shell form is already
 * ["/bin/sh","-c",…]; an empty one means no check, not even the image's own.
 */
const healthcheck = object({
  test: array(string(), 64),
  intervalMs: integer(100, dayMs),
  timeoutMs: integer(100, dayMs),
  retryCountMax: integer(1, 1000),
  startPeriodMs: integer(0, dayMs),
  startIntervalMs: integer(100, dayMs),
});

const restart = object({
  policy: oneOf('no', 'on-failure', 'always', 'unless-stopped'),
  /** on-failure only; 0 = without end. */
  retryCountMax: integer(0, 1_000_000),
});

const resources = object({
  memoryMaxBytes: optional(integer(128 * kib, tib)),
  /** Thousandths of a CPU: 500 = half a core. */
  cpuMaxMillis: optional(integer(1, 1_024_000)),
  pidsMax: optional(integer(1, 4_194_304)),
});

const capability = string({
  pattern: /^(ALL|CAP_[A-Z_]{2,32})$/,
  form: 'ALL or a capability like CAP_NET_ADMIN',
});

export const workload = object({
  name: workloadName,
  image: object({
    /** As written: host[:port]/repository[:tag], fully qualified. For display and for the host to ask. */
    reference: string({ lengthMax: 512 }),
    /** Of the index (or of the manifest where there is no index): the device picks its platform. */
    digest,
  }),
  /** Replace the image's; absent = the image's. An empty list = none. */
  entrypoint: optional(array(string({ lengthMax: 32_768 }), 256)),
  command: optional(array(string({ lengthMax: 32_768 }), 256)),
  environment: optional(
    record(
      string({ pattern: /^[^=\0]{1,256}$/, form: 'a variable name' }),
      string({ lengthMax: 32_768 }),
      256,
    ),
  ),
  workingDir: optional(containerPath),
  /** user[:group], names or numbers, looked up in the image. */
  user: optional(string({ lengthMax: 128 })),
  ports: optional(array(port, 64)),
  mounts: optional(array(mount, 64)),
  healthcheck: optional(healthcheck),
  restart,
  stopGraceMs: integer(0, dayMs),
  resources,
  readOnly: optional(boolean),
  privileged: optional(boolean),
  capAdd: optional(array(capability, 64)),
  capDrop: optional(array(capability, 64)),
  /** Names of workloads of the same release, and what they must have reached before this one starts. */
  dependsOn: optional(
    record(
      workloadName,
      oneOf('service_started', 'service_healthy', 'service_completed_successfully'),
      64,
    ),
  ),
  labels: optional(record(labelKey, string({ lengthMax: 1024 }), 64)),
});
export type Workload = Checked<typeof workload>;
export type Mount = Checked<typeof mount>;
export type Port = Checked<typeof port>;
export type Healthcheck = Checked<typeof healthcheck>;

/** The device's own gate: how a new release proves itself before the previous one may go. */
export const gate = object({
  /** How long all must be well, without a restart, after the last one became healthy. */
  bakeMs: integer(0, dayMs),
  /** From the switch to well; past it the release has failed. */
  deadlineMs: integer(1000, 7 * dayMs),
});
export type Gate = Checked<typeof gate>;

export const release = object({
  kind: oneOf('release/v1'),
  /** The line of releases this one belongs to; counters are compared within it. */
  app: workloadName,
  /** For people: v1, 2026.11.3. */
  version: string({ pattern: /^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$/, form: 'a version like 1.4.2' }),
  /** Grows with each release of the app; an older one is never accepted again (docs/protocol.md, anti-rollback). */
  counter: integer(1, Number.MAX_SAFE_INTEGER),
  createdAt: instant,
  gate,
  workloads: array(workload, 64),
});
export type Release = Checked<typeof release>;
