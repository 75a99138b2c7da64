// SPDX-License-Identifier: Apache-2.0
// Builders for the tests of agent/run and agent/local: a device's root in a temp folder with its real store,
// a workload, an image's configuration, layer folders, and a container's spec.

import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { openLog } from '../../adapters/log.js';
import { type Places, placesOf } from '../../adapters/places.js';
import { layoutOf } from '../../agent/run/layout.js';
import { writeRecord } from '../../agent/run/record.js';
import type { ContainerSpec } from '../../agent/run/types.js';
import { openStore } from '../../agent/store/open.js';
import type { Store } from '../../agent/store/types.js';
import type { ImageConfig } from '../../images/oci/config.js';
import type { Digest } from '../../protocol/name.js';
import type { Workload } from '../../protocol/release.js';

export const silent = openLog('test', 'silent');

export function digestOf(text: string): Digest {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

export function aWorkload(changed: Partial<Workload> = {}): Workload {
  return {
    name: 'web',
    image: { reference: 'registry.example:5000/web:v1', digest: digestOf('image') },
    restart: { policy: 'unless-stopped', retryCountMax: 0 },
    stopGraceMs: 2000,
    resources: {},
    ...changed,
  };
}

export function anImageConfig(changed: Partial<ImageConfig> = {}): ImageConfig {
  return {
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    diffIds: [digestOf('layer')],
    env: [],
    entrypoint: [],
    cmd: ['/bin/true'],
    volumes: [],
    labels: {},
    ...changed,
  };
}

export function aSpec(
  layers: readonly string[],
  changed: Partial<ContainerSpec> = {},
): ContainerSpec {
  const workload = changed.workload ?? aWorkload();
  const spec = changed.spec ?? digestOf(JSON.stringify([workload, changed.config ?? {}]));
  return {
    id: `${workload.name}-${spec.slice(7, 17)}`,
    spec,
    release: digestOf('release'),
    workload,
    image: workload.image.digest,
    config: anImageConfig(),
    layers,
    ...changed,
  };
}

export function tempFolder(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'wh-box-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A layer folder from path → text; a text of `null` makes a folder. */
export function aLayer(folder: string, files: Readonly<Record<string, string | null>>): string {
  mkdirSync(folder, { recursive: true });
  for (const [path, text] of Object.entries(files)) {
    const at = join(folder, path);
    mkdirSync(text === null ? at : dirname(at), { recursive: true });
    if (text !== null) writeFileSync(at, text);
  }
  return folder;
}

/** A device's root with its real store. */
export async function aDevice(t: ExecutionContext): Promise<{ places: Places; store: Store }> {
  const places = placesOf(tempFolder(t));
  const { store } = await openStore(places, silent);
  t.teardown(() => store.close());
  return { places, store };
}

/** Writes a record as `create` would, for readers that need no bundle. */
export async function aMadeContainer(
  places: Places,
  changed: { workload?: Workload; address?: string; release?: Digest } = {},
): Promise<string> {
  const spec = aSpec([], { workload: changed.workload ?? aWorkload() });
  const folder = join(places.state, 'containers', spec.id);
  mkdirSync(layoutOf(folder).logs, { recursive: true });
  await writeRecord(folder, {
    id: spec.id,
    spec: spec.spec,
    release: changed.release ?? spec.release,
    image: spec.image,
    workload: spec.workload,
    address: changed.address ?? `${places.subnet}.7`,
    stopSignal: 'SIGTERM',
    health: null,
    createdAt: '2026-01-31T12:00:00.000Z',
  });
  return spec.id;
}
