// SPDX-License-Identifier: Apache-2.0
// What is shipped: which programs go where, and what lies beside them. The one table of the device bundle, the
// packages, the manual and completion.

import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Shipped {
  readonly name: string;
  /** Compiled entry, below the tree that this file was compiled into. */
  readonly entry: string;
  readonly section: 1 | 8;
  /** Flags of Node that keep it small. */
  readonly flags?: string;
}

/** The compiled tree: dist/, or where the compiler wrote it. */
export const compiled = join(dirname(fileURLToPath(import.meta.url)), '../..');

export const device: readonly Shipped[] = [
  {
    name: 'wherryd',
    entry: 'agent/main.js',
    section: 8,
    flags: '--max-semi-space-size=1 --max-old-space-size=64',
  },
  { name: 'wherry', entry: 'agent/local/main.js', section: 1 },
  { name: 'wherry-provision', entry: 'provisioning/main.js', section: 8 },
];

export const control: readonly Shipped[] = [
  { name: 'wherry-fleet', entry: 'fleet/main.js', section: 8 },
  { name: 'wherry-image', entry: 'images/cli/main.js', section: 1 },
];

export interface Machine {
  /** As `uname -m` says it, and build/ is named. */
  readonly folder: string;
  /** As Debian calls it. */
  readonly debian: string;
}

const machines: Readonly<Record<string, Machine>> = {
  x86_64: { folder: 'x86_64', debian: 'amd64' },
  aarch64: { folder: 'aarch64', debian: 'arm64' },
  armv7l: { folder: 'armv7l', debian: 'armhf' },
};

/** The machine whose build lies in `folder` (build/aarch64). */
export function machineOf(folder: string): Machine | undefined {
  return machines[folder.replace(/\/+$/, '').split('/').at(-1) ?? ''];
}
