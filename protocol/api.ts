// SPDX-License-Identifier: Apache-2.0
// The fleet's HTTP API: JSON over HTTPS with mutual TLS, operators only but for /v1/enrol and /v1/authority.
// Errors come as {code, message, facts} with status 4xx or 5xx. Times are RFC 3339.

import {
  array,
  boolean,
  type Check,
  type Checked,
  integer,
  nullable,
  object,
  optional,
  record,
  refuse,
  string,
} from './check.js';
import type { Event, Reported } from './device.js';
import { envelope } from './envelope.js';
import { deviceId, digest, labelKey } from './name.js';
import { variableName } from './variable.js';

const dayMs = 86_400_000;
const labelValue = string({ lengthMax: 256 });
export const labels = record(labelKey, labelValue, 64);
export type Labels = Checked<typeof labels>;

/** WHERRY_ names are the device's own. */
const ownVariable: Check<string> = (value, path) => {
  const name = variableName(value, path);
  return name.startsWith('WHERRY_')
    ? refuse(path, 'a name that does not begin with WHERRY_')
    : name;
};

/** POST /v1/claims */
export const claimRequest = object({
  /** Claims to make, each with a code of its own. */
  count: optional(integer(1, 1000)),
  /** Devices that may enrol by each. */
  uses: optional(integer(1, 100_000)),
  expiresMs: integer(1000, 365 * dayMs),
  labels: optional(labels),
});
export type ClaimRequest = Checked<typeof claimRequest>;

/** POST /v1/devices/{device}/labels: null removes. */
export const labelsRequest = object({ labels: record(labelKey, nullable(labelValue), 64) });
export type LabelsRequest = Checked<typeof labelsRequest>;

/** POST /v1/variables: null removes; of one device, or of all that have the labels. */
export const variablesRequest = object({
  device: optional(deviceId),
  selector: optional(labels),
  variables: record(ownVariable, nullable(string({ lengthMax: 4096 })), 64),
});

/** POST /v1/releases */
export const releaseRequest = object({ envelope });
export type ReleaseRequest = Checked<typeof releaseRequest>;

const waveText = string({ pattern: /^\d{1,7}(\.\d{1,3})?%?$/, form: 'a count or a percent' });

/** POST /v1/rollouts */
export const rolloutRequest = object({
  release: digest,
  /** Cumulative: '1', '25%'; what is left is the last wave. */
  waves: array(waveText, 31),
  /** Devices that have all of these labels; empty = all. */
  selector: labels,
  bakeMs: integer(0, 7 * dayMs),
  deadlineMs: integer(1000, 30 * dayMs),
  inFlightMax: optional(integer(1, 100_000)),
  /** Devices that enrol or get the labels later are given the release too; default true. */
  catchUp: optional(boolean),
});
export type RolloutRequest = Checked<typeof rolloutRequest>;

export interface ApiError {
  readonly code: string;
  readonly message: string;
  readonly facts: Readonly<Record<string, string | number | boolean>>;
}

export interface ApiClaim {
  readonly id: string;
  readonly labels: Labels;
  /** Devices that came by it, and that may. */
  readonly count: number;
  readonly countMax: number;
  readonly createdAt: string;
  readonly expiresAt: string;
  /** open, used, expired or revoked. */
  readonly state: string;
  readonly devices: readonly string[];
}

/** Only the answer to its creation has the code. */
export interface ApiNewClaim {
  readonly id: string;
  readonly code: string;
  readonly expiresAt: string;
}

export interface ApiDevice {
  readonly device: string;
  readonly labels: Labels;
  readonly serial: string | null;
  readonly enrolledAt: string;
  readonly revokedAt: string | null;
  readonly seenAt: string | null;
  readonly online: boolean;
  readonly agent: string | null;
  readonly platform: string | null;
  readonly memoryBytes: number | null;
  /** What it shall run. */
  readonly desired: ApiDesired | null;
  /** What it says that it runs. */
  readonly reported: Reported | null;
}

export interface ApiDesired {
  readonly epoch: number;
  readonly generation: number;
  readonly release: string | null;
  readonly app: string | null;
  readonly version: string | null;
  readonly rollout: string | null;
}

export interface ApiRelease {
  readonly digest: string;
  readonly app: string;
  readonly version: string;
  readonly counter: number;
  readonly createdAt: string;
  readonly keyid: string;
  readonly workloads: ReadonlyArray<{ name: string; reference: string; digest: string }>;
}

export interface ApiWave {
  readonly wave: number;
  readonly state: string;
  readonly devices: number;
  readonly good: number;
  readonly failed: number;
  readonly waiting: number;
  readonly excluded: number;
}

export interface ApiRolloutDevice {
  readonly device: string;
  readonly wave: number;
  readonly outcome: string;
  readonly phase: string | null;
  readonly code: string | null;
  readonly message: string | null;
}

export interface ApiRollout {
  readonly id: string;
  readonly release: string;
  readonly app: string;
  readonly version: string;
  readonly state: string;
  /** Why it is paused, failed or aborted. */
  readonly code: string | null;
  readonly message: string | null;
  readonly facts: Readonly<Record<string, string | number | boolean>>;
  readonly selector: Labels;
  readonly bakeMs: number;
  readonly deadlineMs: number;
  readonly inFlightMax: number;
  readonly createdBy: string;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly waves: readonly ApiWave[];
  /** Only where one rollout is asked for. */
  readonly devices?: readonly ApiRolloutDevice[];
}

export interface ApiEvent {
  readonly id: number;
  readonly device: string | null;
  readonly rollout: string | null;
  /** A device's own types, and the fleet's: enrolled, revoked, released, rollout… */
  readonly type: Event['type'] | string;
  readonly generation: number | null;
  readonly release: string | null;
  readonly code: string | null;
  readonly message: string | null;
  readonly counts: Readonly<Record<string, number>>;
  readonly at: string;
}

/** GET /v1/status */
export interface ApiStatus {
  readonly tenant: string;
  readonly linked: boolean;
  readonly devices: number;
  readonly releases: number;
  readonly rolloutsRunning: number;
}
