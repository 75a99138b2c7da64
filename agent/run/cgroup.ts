// SPDX-License-Identifier: Apache-2.0
// Finds a process's cgroup folders and reads their counters: cgroup v1, v2, and the mix of both, decided for
// each controller by what /proc says and never by a version. Reads only.

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

/** A v1 limit at or above this means none (the kernel prints LONG_MAX rounded down to a page). */
const unlimitedBytes = 2 ** 62;

export interface Usage {
  readonly memoryBytes: number;
  readonly memoryMaxBytes: number | null;
  readonly cpuUsageUs: number;
  readonly cpuMaxMillis: number | null;
  readonly pids: number;
  readonly pidsMax: number | null;
}

/** A controller's folder of one process and whose interface its files follow. */
export interface Folder {
  readonly path: string;
  readonly version: 1 | 2;
}

export type Controller = 'memory' | 'cpu' | 'cpuacct' | 'pids';
export type Folders = Readonly<Partial<Record<Controller, Folder>>>;

interface CgroupMount {
  readonly root: string;
  readonly point: string;
  readonly version: 1 | 2;
  readonly options: readonly string[];
}

/** mountinfo(5): fields, then ` - type source options`. */
export function parseMounts(mountinfo: string): CgroupMount[] {
  return mountinfo.split('\n').flatMap((line) => {
    const [left = '', right = ''] = line.split(' - ');
    const [, , , root = '', point = ''] = left.split(' ');
    const [type, , options = ''] = right.split(' ');
    if (type !== 'cgroup' && type !== 'cgroup2') return [];
    return [{ root, point, version: type === 'cgroup2' ? 2 : 1, options: options.split(',') }];
  });
}

/**
 * @param procCgroup the text of /proc/PID/cgroup
 * @param within the container's own cgroup path: a process deeper in it counts as the whole container
 */
export function foldersOf(
  procCgroup: string,
  mounts: readonly CgroupMount[],
  within: string,
): Folders {
  const found: Partial<Record<Controller, Folder>> = {};
  const lines = procCgroup
    .trim()
    .split('\n')
    .map((line) => {
      const [, controllers = '', ...path] = line.split(':');
      return { controllers: controllers.split(','), path: cut(path.join(':'), within) };
    });
  for (const name of ['memory', 'cpu', 'cpuacct', 'pids'] as const) {
    const v1 = lines.find((line) => line.controllers.includes(name));
    const v2 = lines.find((line) => line.controllers.length === 1 && line.controllers[0] === '');
    const folder =
      folderIn(
        v1?.path,
        mounts.find((mount) => mount.version === 1 && mount.options.includes(name)),
      ) ??
      folderIn(
        v2?.path,
        mounts.find((mount) => mount.version === 2),
      );
    if (folder !== undefined) found[name] = folder;
  }
  return found;
}

function cut(path: string, within: string): string {
  const at = `${path}/`.indexOf(`${within}/`);
  return at < 0 ? path : path.slice(0, at + within.length);
}

function folderIn(path: string | undefined, mount: CgroupMount | undefined): Folder | undefined {
  if (path === undefined || mount === undefined) return undefined;
  const inside =
    mount.root !== '/' && path.startsWith(mount.root) ? path.slice(mount.root.length) : path;
  return { path: `${mount.point}${inside === '/' ? '' : inside}`, version: mount.version };
}

/** Undefined where the process is gone. */
export async function foldersOfProcess(pid: number, within: string): Promise<Folders | undefined> {
  const cgroup = await text(`/proc/${pid}/cgroup`);
  const mountinfo = await text('/proc/self/mountinfo');
  if (cgroup === undefined || mountinfo === undefined) return undefined;
  return foldersOf(cgroup, parseMounts(mountinfo), within);
}

/** Zero and null for what the kernel does not count here. */
export async function readUsage(folders: Folders): Promise<Usage> {
  const [memory, cpu, pids] = await Promise.all([
    memoryOf(folders.memory),
    cpuOf(folders),
    pidsOf(folders.pids),
  ]);
  return { ...memory, ...cpu, ...pids };
}

async function memoryOf(
  folder: Folder | undefined,
): Promise<Pick<Usage, 'memoryBytes' | 'memoryMaxBytes'>> {
  if (folder === undefined) return { memoryBytes: 0, memoryMaxBytes: null };
  const v2 = folder.version === 2;
  const usage = await number(folder, v2 ? 'memory.current' : 'memory.usage_in_bytes');
  const stat = await text(`${folder.path}/memory.stat`);
  // Page cache that the kernel takes back at once is not use: Docker shows it so.
  const cache = field(stat, v2 ? 'inactive_file' : 'total_inactive_file');
  const max = await number(folder, v2 ? 'memory.max' : 'memory.limit_in_bytes');
  return {
    memoryBytes: Math.max(0, (usage ?? 0) - cache),
    memoryMaxBytes: max === undefined || max >= unlimitedBytes ? null : max,
  };
}

async function cpuOf(folders: Folders): Promise<Pick<Usage, 'cpuUsageUs' | 'cpuMaxMillis'>> {
  return { cpuUsageUs: await cpuUsage(folders), cpuMaxMillis: await cpuMax(folders.cpu) };
}

async function cpuUsage(folders: Folders): Promise<number> {
  const { cpuacct, cpu } = folders;
  if (cpuacct?.version === 1) {
    return Math.round(((await number(cpuacct, 'cpuacct.usage')) ?? 0) / 1000);
  }
  return cpu === undefined ? 0 : field(await text(`${cpu.path}/cpu.stat`), 'usage_usec');
}

async function cpuMax(folder: Folder | undefined): Promise<number | null> {
  if (folder === undefined) return null;
  let words: Array<string | undefined>;
  if (folder.version === 2) {
    words = ((await text(`${folder.path}/cpu.max`)) ?? 'max').trim().split(' ');
  } else {
    words = await Promise.all(
      ['cpu.cfs_quota_us', 'cpu.cfs_period_us'].map((name) => text(`${folder.path}/${name}`)),
    );
  }
  const [quota, period] = words.map(Number);
  if (quota === undefined || period === undefined || !(quota > 0) || !(period > 0)) return null;
  return Math.round((quota * 1000) / period);
}

async function pidsOf(folder: Folder | undefined): Promise<Pick<Usage, 'pids' | 'pidsMax'>> {
  if (folder === undefined) return { pids: 0, pidsMax: null };
  return {
    pids: (await number(folder, 'pids.current')) ?? 0,
    pidsMax: (await number(folder, 'pids.max')) ?? null,
  };
}

/** Undefined for `max` and for a file that is not there. */
async function number(folder: Folder, name: string): Promise<number | undefined> {
  const word = (await text(`${folder.path}/${name}`))?.trim();
  return word !== undefined && /^\d+$/.test(word) ? Number(word) : undefined;
}

function field(stat: string | undefined, name: string): number {
  const line = stat?.split('\n').find((one) => one.startsWith(`${name} `));
  return Number(line?.slice(name.length + 1) ?? 0);
}

async function text(path: string): Promise<string | undefined> {
  if (!existsSync(path)) return undefined;
  try {
    return await readFile(path, 'utf8');
  } catch {
    return undefined; // the container went between the two calls: nothing to count
  }
}
