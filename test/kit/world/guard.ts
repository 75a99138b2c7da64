// SPDX-License-Identifier: Apache-2.0
// Makes sure that nothing stays behind: processes whose command line names the world's folder, cgroups of
// its agents with what still runs in them, network namespaces, files. Works from names alone, so that it also
// clears what a killed run left.

import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { placesOf } from '../../../adapters/places.js';
import { runIn } from './program.js';

const cgroupTop = '/sys/fs/cgroup';
/** In the world's folder: who made it. */
export const pidFile = 'pid';

/** Ends all that runs for one device and empties what a reboot would: /run and the cgroups. */
export async function darken(root: string): Promise<void> {
  await killAll(root);
  await removeCgroups(placesOf(root).cgroupParent);
  rmSync(placesOf(root).runtime, { recursive: true, force: true });
}

async function killAll(root: string): Promise<void> {
  for (let round = 0; round < 50 && killByCommandLine(root) > 0; round += 1) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Ends and removes all that belongs to the world in `root` whose namespaces start with `tag`. */
export async function sweep(root: string, tag: string): Promise<void> {
  await killAll(root);
  for (const point of mountsBelow(root)) await runIn(undefined, ['umount', '-l', point]);
  for (const name of existsSync(root) ? readdirSync(root) : []) {
    await removeCgroups(placesOf(join(root, name)).cgroupParent);
  }
  for (const netns of listNetns().filter((name) => name.startsWith(`${tag}-`))) {
    await runIn(undefined, ['ip', 'netns', 'del', netns]);
  }
  rmSync(root, { recursive: true, force: true, maxRetries: 5 });
}

/** What of the world is still there, in words; empty = nothing. */
export function leftovers(root: string, tag: string, cgroupParents: readonly string[]): string[] {
  return [
    ...processesNaming(root).map((pid) => `process ${pid}`),
    ...cgroupParents.flatMap((parent) => cgroupFolders(parent).map((folder) => `cgroup ${folder}`)),
    ...listNetns()
      .filter((name) => name.startsWith(`${tag}-`))
      .map((name) => `netns ${name}`),
    ...mountsBelow(root).map((point) => `mount ${point}`),
    ...(existsSync(root) ? [`folder ${root}`] : []),
  ];
}

/** Mount points below the folder, the deepest first. */
function mountsBelow(root: string): string[] {
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((point) => point.startsWith(`${root}/`))
    .sort((a, b) => b.length - a.length);
}

/** Clears what killed runs with this label left: their folder holds the pid that made it. */
export async function sweepDead(label: string): Promise<void> {
  for (const name of readdirSync(tmpdir()).filter((entry) => entry.startsWith(`w-${label}-`))) {
    const root = join(tmpdir(), name);
    const pid = existsSync(join(root, pidFile)) ? readFileSync(join(root, pidFile), 'utf8') : '';
    if (/^\d+$/.test(pid) && !isAlive(pid)) await sweep(root, `w${label}${pid}`);
  }
}

/** A zombie that nobody has reaped is dead too. */
function isAlive(pid: string): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

export function listNetns(): string[] {
  return existsSync('/run/netns') ? readdirSync('/run/netns') : [];
}

function processesNaming(root: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid && pid !== process.ppid)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(root);
      } catch {
        return false; // it ended while we looked
      }
    });
}

function killByCommandLine(root: string): number {
  const pids = processesNaming(root);
  for (const pid of pids) kill(pid);
  return pids.length;
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it ended by itself
  }
}

/** The agent's own cgroup folders, in every hierarchy there is. */
function cgroupFolders(parent: string): string[] {
  const tops = [cgroupTop, ...readdirSync(cgroupTop).map((name) => join(cgroupTop, name))];
  return tops.map((top) => join(top, parent)).filter((folder) => existsSync(folder));
}

async function removeCgroups(parent: string): Promise<void> {
  for (const folder of cgroupFolders(parent)) {
    for (let round = 0; round < 100 && existsSync(folder); round += 1) {
      removeTree(folder);
      if (existsSync(folder)) await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

function removeTree(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) removeTree(join(folder, entry.name));
  }
  const procs = join(folder, 'cgroup.procs');
  if (existsSync(procs)) {
    for (const pid of readFileSync(procs, 'utf8')
      .split('\n')
      .filter((line) => line !== '')) {
      kill(Number(pid));
    }
  }
  try {
    rmdirSync(folder);
  } catch {
    // still busy: the caller comes again
  }
}
