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
import { config, configUse, containerPath, logging, mount, volume } from './content.js';
import { capability, device, resources, security, sysctls, ulimits } from './isolation.js';
import { digest, labelKey, workloadName } from './name.js';
import { attachment, dns, extraHost, hostName, network, networkMode, port } from './network.js';
import { template } from './variable.js';

const dayMs = 86_400_000;

/**
 * Compose `healthcheck`; what is absent is the image's, and Docker's default where the image has none. `test` is
 * an argv to run in the container; the shell form is already ["/bin/sh","-c",…]; an empty one means no check,
 * not even the image's own.
 */
const healthcheck = object({
  test: optional(array(string(), 64)),
  intervalMs: optional(integer(100, dayMs)),
  timeoutMs: optional(integer(100, dayMs)),
  retryCountMax: optional(integer(1, 1000)),
  startPeriodMs: optional(integer(0, dayMs)),
  startIntervalMs: optional(integer(100, dayMs)),
});

const restart = object({
  policy: oneOf('no', 'on-failure', 'always', 'unless-stopped'),
  /** on-failure only; 0 = without end. */
  retryCountMax: integer(0, 1_000_000),
});

const variableKey = string({ pattern: /^[^=\0]{1,256}$/, form: 'a variable name' });

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
  environment: optional(record(variableKey, string({ lengthMax: 32_768 }), 256)),
  /** Values that the device completes from its variables; a name is here or in `environment`. */
  environmentFrom: optional(record(variableKey, template, 64)),
  workingDir: optional(containerPath),
  /** user[:group], names or numbers, looked up in the image. */
  user: optional(string({ lengthMax: 128 })),
  /** Groups beside those of the image, names or numbers, looked up in the image. */
  groupAdd: optional(array(string({ lengthMax: 64 }), 32)),
  /** Absent = the workload's name. */
  hostname: optional(hostName),
  hostnameFrom: optional(template),
  domainname: optional(hostName),
  /** Absent = bridge, in `networks`. */
  networkMode: optional(networkMode),
  /** By the network's name; absent = in `default` alone. Only with networkMode bridge. */
  networks: optional(record(workloadName, attachment, 8)),
  extraHosts: optional(array(extraHost, 64)),
  dns: optional(dns),
  ports: optional(array(port, 64)),
  mounts: optional(array(mount, 64)),
  configs: optional(array(configUse, 32)),
  devices: optional(array(device, 32)),
  healthcheck: optional(healthcheck),
  restart,
  stopGraceMs: integer(0, dayMs),
  /** Absent = the image's, else SIGTERM. */
  stopSignal: optional(
    string({ pattern: /^SIG[A-Z0-9]{2,8}([+-]\d{1,2})?$/, form: 'a signal like SIGQUIT' }),
  ),
  /** A small init runs before the program: it passes signals on and reaps what nobody waits for. */
  init: optional(boolean),
  /** Runs at these times of the device's own clock and zone instead of all the time: a cron expression of 5 or 6 fields. */
  schedule: optional(object({ cron: string({ lengthMax: 128 }) })),
  resources,
  ulimits: optional(ulimits),
  sysctls: optional(sysctls),
  logging: optional(logging),
  readOnly: optional(boolean),
  privileged: optional(boolean),
  capAdd: optional(array(capability, 64)),
  capDrop: optional(array(capability, 64)),
  security: optional(security),
  /** Names of workloads of the same release, and what they must have reached before this one starts. */
  dependsOn: optional(
    record(
      workloadName,
      oneOf('service_started', 'service_healthy', 'service_completed_successfully'),
      64,
    ),
  ),
  labels: optional(record(labelKey, string({ lengthMax: 1024 }), 64)),
  labelsFrom: optional(record(labelKey, template, 32)),
});
export type Workload = Checked<typeof workload>;
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
  /** Those that a workload is in; `default` needs to be here only where it is not an ordinary bridge. */
  networks: optional(array(network, 16)),
  /** Only those that are more than a folder of the device. */
  volumes: optional(array(volume, 64)),
  configs: optional(array(config, 32)),
});
export type Release = Checked<typeof release>;
