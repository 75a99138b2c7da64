// SPDX-License-Identifier: Apache-2.0
// The image configuration (OCI image-spec config.md), as far as a runtime needs it. Docker writes null where
// it means absent; both are read alike. Fields that a runtime does not need are dropped.

import {
  array,
  type Check,
  type Checked,
  integer,
  object,
  oneOf,
  optional,
  record,
  string,
} from '../../protocol/check.js';
import { type Digest, digest } from '../../protocol/name.js';
import { checkDocument, orNull, readDocument } from './document.js';
import { layerCountMax } from './manifest.js';

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

const wordsMax = 1024;
const nsInMs = 1_000_000;
const word = string({ lengthMax: 64 });
const text = orNull(string({ lengthMax: 4096 }), '');
const words = orNull(array(string({ lengthMax: 128 * 1024 }), wordsMax), []);
const duration = orNull(integer(0, Number.MAX_SAFE_INTEGER), 0);
const anything: Check<unknown> = (value) => value;

const healthcheck = object(
  {
    Test: optional(words),
    Interval: optional(duration),
    Timeout: optional(duration),
    StartPeriod: optional(duration),
    Retries: optional(orNull(integer(0, 1_000_000), 0)),
  },
  { open: true },
);

const runConfig = object(
  {
    User: optional(text),
    Env: optional(words),
    Entrypoint: optional(words),
    Cmd: optional(words),
    WorkingDir: optional(text),
    StopSignal: optional(text),
    Volumes: optional(orNull(record(string(), anything, wordsMax), {})),
    Labels: optional(orNull(record(string(), string({ lengthMax: 128 * 1024 }), wordsMax), {})),
    Healthcheck: optional(orNull<Checked<typeof healthcheck>>(healthcheck, {})),
  },
  { open: true },
);

const document = object(
  {
    architecture: word,
    os: word,
    variant: optional(orNull(word, '')),
    created: optional(text),
    config: optional(orNull<Checked<typeof runConfig>>(runConfig, {})),
    rootfs: object(
      { type: oneOf('layers'), diff_ids: orNull(array(digest, layerCountMax), []) },
      { open: true },
    ),
  },
  { open: true },
);

/** @throws IMAGE_MANIFEST with the field; IMAGE_LIMIT */
export function parseConfig(bytes: Uint8Array): ImageConfig {
  const value = checkDocument(document, readDocument(bytes, 'image config'), 'image config');
  const own = value.config ?? {};
  const health = healthOf(own.Healthcheck ?? {});
  return {
    architecture: value.architecture,
    os: value.os,
    ...given('variant', value.variant),
    ...given('created', value.created),
    diffIds: value.rootfs.diff_ids,
    ...given('user', own.User),
    env: own.Env ?? [],
    entrypoint: own.Entrypoint ?? [],
    cmd: own.Cmd ?? [],
    ...given('workingDir', own.WorkingDir),
    ...given('stopSignal', own.StopSignal),
    volumes: Object.keys(own.Volumes ?? {}),
    labels: own.Labels ?? {},
    ...(health === undefined ? {} : { healthcheck: health }),
  };
}

/** Docker's zero durations and empty texts mean: not given. */
function given<K extends string, T>(name: K, value: T | undefined): { [P in K]?: T } {
  return value === undefined || value === '' || value === 0
    ? {}
    : ({ [name]: value } as { [P in K]?: T });
}

function healthOf(found: Checked<typeof healthcheck>): ImageConfig['healthcheck'] {
  if (found.Test === undefined || found.Test.length === 0) return undefined;
  return {
    test: found.Test,
    ...given('intervalMs', msOf(found.Interval)),
    ...given('timeoutMs', msOf(found.Timeout)),
    ...given('startPeriodMs', msOf(found.StartPeriod)),
    ...given('retries', found.Retries),
  };
}

function msOf(ns: number | undefined): number | undefined {
  return ns === undefined ? undefined : Math.round(ns / nsInMs);
}
