// SPDX-License-Identifier: Apache-2.0
// What this process may give to a container: capabilities, limits and device nodes, read from /proc and /dev
// once. Without CAP_SYS_RESOURCE nothing of it can be raised, so a spec stays within it.

import type { Stats } from 'node:fs';
import { lstat, readdir, readFile, stat } from 'node:fs/promises';
import { errnoOf } from '../../adapters/durable.js';
import { CodedError } from '../../protocol/error.js';
import type { Device } from '../../protocol/isolation.js';
import { capabilitiesOf } from './capabilities.js';
import type { OciDevice } from './oci.js';

const deviceCountMax = 1024;
const deviceDepthMax = 4;
/** fs.nr_open as kernels have it: no process opens more. */
const nofileRoof = 1_048_576;
/** What the runtime makes itself, or what is no device of the host. */
const notDevices = new Set(['pts', 'shm', 'fd', 'mqueue', 'console', 'ptmx', 'null', 'zero']);

export interface Host {
  readonly capabilities: readonly string[];
  /** Hard limit of open files. */
  readonly nofileMax: number;
  /** Hard limits by their names in lower case, without RLIMIT_; Infinity = none. */
  readonly limits: Readonly<Record<string, number>>;
  readonly oomScoreAdj: number;
}

export async function readHost(): Promise<Host> {
  const [status, limits, oom] = await Promise.all(
    ['status', 'limits', 'oom_score_adj'].map((name) => readFile(`/proc/self/${name}`, 'utf8')),
  );
  return parseHost(status ?? '', limits ?? '', oom ?? '0');
}

export function parseHost(status: string, limits: string, oom: string): Host {
  const bounding = /^CapBnd:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0';
  const permitted = /^CapPrm:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0';
  const mine = new Set(capabilitiesOf(permitted));
  const hard = /^Max open files\s+\S+\s+(\d+|unlimited)/m.exec(limits)?.[1] ?? '1024';
  return {
    capabilities: capabilitiesOf(bounding).filter((name) => mine.has(name)),
    nofileMax: hard === 'unlimited' ? nofileRoof : Number(hard),
    limits: limitsOf(limits),
    oomScoreAdj: Number(oom.trim()),
  };
}

/** /proc/PID/limits has names for people. */
const limitNames: Readonly<Record<string, string>> = {
  'cpu time': 'cpu',
  'file size': 'fsize',
  'data size': 'data',
  'stack size': 'stack',
  'core file size': 'core',
  'resident set': 'rss',
  processes: 'nproc',
  'open files': 'nofile',
  'locked memory': 'memlock',
  'address space': 'as',
  'file locks': 'locks',
  'pending signals': 'sigpending',
  'msgqueue size': 'msgqueue',
  'nice priority': 'nice',
  'realtime priority': 'rtprio',
  'realtime timeout': 'rttime',
};

function limitsOf(text: string): Record<string, number> {
  const rows = text.matchAll(/^Max (.+?) +(?:\d+|unlimited) +(\d+|unlimited)\b/gm);
  const pairs = [...rows].flatMap(([, words = '', hard]): Array<[string, number]> => {
    const name = limitNames[words];
    return name === undefined ? [] : [[name, hard === 'unlimited' ? Infinity : Number(hard)]];
  });
  return Object.fromEntries(pairs);
}

/** A device node and what may be done with it. */
export interface AskedDevice {
  readonly device: OciDevice;
  readonly access: string;
}

/**
 * The nodes that a workload asks for, under their names in the container; symbolic links as
 * /dev/serial/by-id has them are followed, a folder stands for all nodes in it. @throws RUN_DEVICE
 */
export async function askedDevices(wanted: readonly Device[]): Promise<AskedDevice[]> {
  const found: AskedDevice[] = [];
  for (const { source, target, permissions: access } of wanted) {
    for (const device of await nodesAt(source, target)) found.push({ device, access });
  }
  return found;
}

async function nodesAt(source: string, target: string): Promise<OciDevice[]> {
  let stats: Stats;
  try {
    stats = await stat(source);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'ENOTDIR') throw error;
    deviceError(source, 'is not on this device');
  }
  if (!stats.isDirectory()) {
    return [deviceOf(target, stats) ?? deviceError(source, 'is no device')];
  }
  const below: OciDevice[] = [];
  await gather(source, below, 1);
  return below.map((one) => ({ ...one, path: `${target}${one.path.slice(source.length)}` }));
}

function deviceError(source: string, what: string): never {
  throw new CodedError('RUN_DEVICE', `${source} ${what}`, { source });
}

/** Every device node under `root`, for a privileged container. */
export async function hostDevices(root = '/dev'): Promise<OciDevice[]> {
  const devices: OciDevice[] = [];
  await gather(root, devices, 0);
  return devices;
}

async function gather(folder: string, devices: OciDevice[], depth: number): Promise<void> {
  if (depth > deviceDepthMax) return;
  const names = (await readdir(folder)).filter((name) => depth > 0 || !notDevices.has(name));
  for (const name of names.sort()) {
    const path = `${folder}/${name}`;
    const stats = await lstat(path);
    if (stats.isDirectory()) await gather(path, devices, depth + 1);
    const device = deviceOf(path, stats);
    if (device !== undefined && devices.length < deviceCountMax) devices.push(device);
  }
}

function deviceOf(path: string, stats: Stats): OciDevice | undefined {
  if (!stats.isCharacterDevice() && !stats.isBlockDevice()) return undefined;
  return {
    path,
    type: stats.isBlockDevice() ? 'b' : 'c',
    major: majorOf(stats.rdev),
    minor: minorOf(stats.rdev),
    fileMode: stats.mode & 0o777,
    uid: stats.uid,
    gid: stats.gid,
  };
}

/** makedev(3) of glibc and musl: 12 + 20 bits in the low 32, the rest above. */
function majorOf(rdev: number): number {
  const bits = BigInt(rdev);
  return Number(((bits >> 8n) & 0xfffn) | ((bits >> 32n) & 0xfffff000n));
}

function minorOf(rdev: number): number {
  const bits = BigInt(rdev);
  return Number((bits & 0xffn) | ((bits >> 12n) & 0xffffff00n));
}
