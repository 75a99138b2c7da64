// SPDX-License-Identifier: Apache-2.0
// Where the parts of one container lie: durable ones in its folder of the store, passing ones under the
// runtime folder. It only names paths; it makes none.

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Places } from '../../adapters/places.js';
import { CodedError } from '../../protocol/error.js';

/** sockaddr_un holds 108 bytes with the NUL. */
export const socketPathBytesMax = 107;

/** A runDir's last part is at most this long, so that the socket path stays short. */
const runNameMax = 24;

export interface Layout {
  readonly folder: string;
  /** Our record of what the container was made from. */
  readonly record: string;
  readonly bundle: string;
  readonly config: string;
  readonly keepPlan: string;
  readonly keeperErrors: string;
  readonly upper: string;
  readonly work: string;
  readonly logs: string;
  /** Files of the release's configs, by their place in the workload's list. */
  readonly configs: string;
  readonly hosts: string;
  readonly hostname: string;
  readonly resolv: string;
}

export function layoutOf(folder: string): Layout {
  return {
    folder,
    record: join(folder, 'container.json'),
    bundle: join(folder, 'bundle'),
    config: join(folder, 'bundle/config.json'),
    keepPlan: join(folder, 'keep.json'),
    keeperErrors: join(folder, 'keeper.err'),
    upper: join(folder, 'upper'),
    work: join(folder, 'work'),
    logs: join(folder, 'logs'),
    configs: join(folder, 'configs'),
    hosts: join(folder, 'etc/hosts'),
    hostname: join(folder, 'etc/hostname'),
    resolv: join(folder, 'etc/resolv.conf'),
  };
}

/** The folder that the store hands out for a container, for readers that run without a store. */
export function folderOf(places: Places, id: string): string {
  return join(places.state, 'containers', id);
}

/** wherry-run's --root. */
export function runtimeRootOf(places: Places): string {
  return join(places.runtime, 'run');
}

export function keepersOf(places: Places): string {
  return join(places.runtime, 'keep');
}

/** keep.sock, status.json and keep.lock of one container. Long ids are cut and told apart by their hash. */
export function runDirOf(places: Places, id: string): string {
  return join(keepersOf(places), shortName(id));
}

function shortName(id: string): string {
  if (id.length <= runNameMax) return id;
  return `${id.slice(0, runNameMax - 9)}-${createHash('sha256').update(id).digest('hex').slice(0, 8)}`;
}

/** @throws CONFIG_BAD where the root is so long that a unix socket below it could not be bound */
export function checkSocketPath(path: string): void {
  const length = Buffer.byteLength(path);
  if (length <= socketPathBytesMax) return;
  throw new CodedError(
    'CONFIG_BAD',
    `the socket path ${path} has ${length} bytes, and the kernel takes ${socketPathBytesMax}: use a shorter --root`,
    { path, length },
  );
}

/** Checks the longest socket path that any container can get. @throws CONFIG_BAD */
export function checkRuntimeFolder(places: Places): void {
  checkSocketPath(join(keepersOf(places), 'x'.repeat(runNameMax), 'keep.sock'));
}
