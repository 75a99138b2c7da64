// SPDX-License-Identifier: Apache-2.0
// Writes configs and manifests. The same input gives the same bytes, so the same image has the same digest
// wherever it is built: fields stand in one order and nothing reads a clock.

import type { Digest } from '../../protocol/name.js';
import type { Descriptor } from './descriptor.js';
import { digestOf } from './document.js';
import { type Compression, layerTypeOf, mediaTypes } from './media.js';
import type { Platform } from './platform.js';

/** What an image runs by default, in Docker's words. */
export interface RunDefaults {
  readonly user?: string;
  readonly env?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly cmd?: readonly string[];
  readonly workingDir?: string;
  readonly stopSignal?: string;
  /** 80/tcp, 53/udp. */
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly healthcheck?: {
    readonly test: readonly string[];
    readonly intervalMs?: number;
    readonly timeoutMs?: number;
    readonly startPeriodMs?: number;
    readonly retries?: number;
  };
}

export interface BuiltLayer {
  readonly digest: Digest;
  readonly size: number;
  readonly diffId: Digest;
  readonly compression: Compression;
}

export interface BuiltDocument {
  readonly descriptor: Descriptor;
  readonly bytes: Buffer;
}

/** `layers` lowest first; `created` is RFC 3339. */
export function writeConfig(image: {
  platform: Platform;
  created: string;
  run: RunDefaults;
  layers: readonly BuiltLayer[];
}): BuiltDocument {
  const { architecture, os, variant } = image.platform;
  return documentOf(mediaTypes.config, {
    created: image.created,
    architecture,
    ...(variant === undefined ? {} : { variant }),
    os,
    config: runFields(image.run),
    rootfs: { type: 'layers', diff_ids: image.layers.map((layer) => layer.diffId) },
    history: image.layers.map(() => ({ created: image.created, created_by: 'wherry-image' })),
  });
}

export function writeManifest(config: Descriptor, layers: readonly BuiltLayer[]): BuiltDocument {
  return documentOf(mediaTypes.manifest, {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config,
    layers: layers.map(({ digest, size, compression }) => ({
      mediaType: layerTypeOf(compression),
      digest,
      size,
    })),
  });
}

function documentOf(mediaType: string, value: object): BuiltDocument {
  const bytes = Buffer.from(JSON.stringify(value));
  return { descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length }, bytes };
}

function runFields(run: RunDefaults): object {
  const { healthcheck: health } = run;
  return {
    ...(run.user === undefined ? {} : { User: run.user }),
    ...filled('ExposedPorts', asSet(run.ports ?? [])),
    ...filled('Env', run.env ?? []),
    ...filled('Entrypoint', run.entrypoint ?? []),
    ...filled('Cmd', run.cmd ?? []),
    ...(health === undefined ? {} : { Healthcheck: healthFields(health) }),
    ...filled('Volumes', asSet(run.volumes ?? [])),
    ...(run.workingDir === undefined ? {} : { WorkingDir: run.workingDir }),
    ...filled('Labels', Object.fromEntries(Object.entries(run.labels ?? {}).sort(byKey))),
    ...(run.stopSignal === undefined ? {} : { StopSignal: run.stopSignal }),
  };
}

function healthFields(health: NonNullable<RunDefaults['healthcheck']>): object {
  const ns = (name: string, ms: number | undefined): object =>
    ms === undefined ? {} : { [name]: ms * 1_000_000 };
  return {
    Test: health.test,
    ...ns('Interval', health.intervalMs),
    ...ns('Timeout', health.timeoutMs),
    ...ns('StartPeriod', health.startPeriodMs),
    ...(health.retries === undefined ? {} : { Retries: health.retries }),
  };
}

/** A set, as Go's map[string]struct{} is written. */
function asSet(words: readonly string[]): Record<string, object> {
  return Object.fromEntries([...words].sort().map((word) => [word, {}]));
}

function filled(name: string, value: object): object {
  return Object.keys(value).length === 0 ? {} : { [name]: value };
}

function byKey([a]: [string, string], [b]: [string, string]): number {
  return a < b ? -1 : 1;
}
