// SPDX-License-Identifier: Apache-2.0
// Tests with an emulated device: skipped, with the reason in the title, where the lab is not set up; the long ones
// run with LAB=full only.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { projectFolder } from '../../adapters/places.js';

export const isFull = process.env['LAB'] === 'full';

/** `wanted`: false = it takes too long for every day. */
export function labTest(
  title: string,
  body: (t: ExecutionContext) => Promise<void>,
  wanted = true,
): void {
  const lacking = reasonAgainst(wanted);
  if (lacking === undefined) test.serial(title, body);
  else test.skip(`${title} [${lacking}]`, body);
}

function reasonAgainst(wanted: boolean): string | undefined {
  if (!wanted) return 'needs LAB=full';
  if (process.getuid?.() !== 0) return 'needs root';
  const path = (process.env['PATH'] ?? '').split(':');
  for (const program of ['qemu-system-aarch64', 'mke2fs']) {
    if (!path.some((folder) => existsSync(join(folder, program)))) return `needs ${program}`;
  }
  const programs = join(projectFolder(), 'build/aarch64/wherry-run');
  return existsSync(programs) ? undefined : 'needs make all ARCH=arm64';
}
