// SPDX-License-Identifier: Apache-2.0
// Bundles and a runtime for the tests of wherry-run: a root of busybox, a config.json to change, and the real
// binary (or WHERRY_TEST_RUNTIME=runc for those tests that hold for every OCI runtime). All of it goes at the end of the test:
// containers, groups, folders.

import { spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { nativeProgram } from '../../adapters/places.js';
import { needs } from './needs.js';
import { slowness } from './slowness.js';

export const foreign = process.env['WHERRY_TEST_RUNTIME'];
const program = foreign ?? nativeProgram('wherry-run');
const timeoutMs = 30_000 * slowness;

export interface Mount {
  destination: string;
  type?: string;
  source?: string;
  options?: string[];
}

export interface Config {
  ociVersion: string;
  process: {
    terminal: boolean;
    user: Record<string, unknown>;
    args: string[];
    env: string[];
    cwd: string;
    capabilities: Record<string, string[]>;
    noNewPrivileges: boolean;
    rlimits?: { type: string; soft: number; hard: number }[];
    oomScoreAdj?: number;
  };
  root: { path: string; readonly: boolean };
  hostname: string;
  mounts: Mount[];
  hooks: Record<string, { path: string; args?: string[]; timeout?: number }[]>;
  annotations: Record<string, string>;
  linux: {
    cgroupsPath: string;
    namespaces: { type: string; path?: string }[];
    resources: Record<string, unknown>;
    sysctl: Record<string, string>;
    maskedPaths: string[];
    readonlyPaths: string[];
    seccomp?: unknown;
    devices?: unknown[];
    uidMappings?: unknown[];
    gidMappings?: unknown[];
  };
}

export interface Outcome {
  code: number;
  out: string;
  err: string;
}

export interface Box {
  readonly id: string;
  readonly folder: string;
  readonly bundle: string;
  readonly rootfs: string;
  readonly stateRoot: string;
  readonly cgroup: string;
  readonly config: Config;
  /** Writes config.json anew after a change. */
  save(): void;
  /** One call of the runtime; `prefix` runs it under another program (nsenter …). */
  call(args: readonly string[], options?: { prefix?: readonly string[] }): Outcome;
  /** `run` in the foreground. */
  run(...options: string[]): Outcome;
  /** create (or run -d): the container's output goes to a file, which `output` reads. */
  detached(...args: string[]): Outcome;
  output(): string;
  state(): Record<string, unknown>;
}

function config(args: string[], cgroup: string): Config {
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      args,
      env: ['PATH=/bin'],
      cwd: '/',
      capabilities: {},
      noNewPrivileges: true,
    },
    root: { path: 'rootfs', readonly: false },
    hostname: 'box',
    mounts: [
      {
        destination: '/proc',
        type: 'proc',
        source: 'proc',
        options: ['nosuid', 'noexec', 'nodev'],
      },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755'] },
      {
        destination: '/dev/pts',
        type: 'devpts',
        source: 'devpts',
        options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620'],
      },
      { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'ro'] },
    ],
    hooks: {},
    annotations: {},
    linux: {
      cgroupsPath: cgroup,
      namespaces: ['pid', 'network', 'ipc', 'uts', 'mount', 'cgroup'].map((type) => ({ type })),
      resources: {},
      sysctl: {},
      maskedPaths: [],
      readonlyPaths: [],
    },
  };
}

const applets =
  'sh echo true false cat ls sleep id env mount mkdir touch kill ps hostname ip ping dd head tail stat readlink grep rm test pwd nc tty wc umount mknod chmod unshare';

/** A busybox root in `rootfs`. */
export function fillRootfs(rootfs: string): void {
  for (const name of ['bin', 'etc', 'proc', 'sys', 'dev', 'tmp', 'data']) {
    mkdirSync(join(rootfs, name), { recursive: true });
  }
  const busybox = join(rootfs, 'bin/busybox');
  try {
    linkSync('/usr/bin/busybox', busybox);
  } catch {
    copyFileSync('/usr/bin/busybox', busybox); // another file system
  }
  for (const name of applets.split(' ')) symlinkSync('busybox', join(rootfs, 'bin', name));
}

export function cgroupFolders(path: string): string[] {
  const root = '/sys/fs/cgroup';
  return [root, ...readdirSync(root).map((name) => join(root, name))]
    .map((tree) => join(tree, path))
    .filter((folder) => existsSync(folder));
}

/** The value of a v1 file, or of its v2 counterpart. */
export function cgroupValue(path: string, v1: string, v2: string): string {
  for (const folder of cgroupFolders(path)) {
    for (const name of [v1, v2]) {
      if (existsSync(join(folder, name))) return readFileSync(join(folder, name), 'utf8').trim();
    }
  }
  return `no file ${v1} or ${v2}`;
}

let made = 0;

export function aBox(
  t: ExecutionContext,
  args: string[],
  change: (config: Config, bundle: string) => void = () => {},
): Box {
  const folder = mkdtempSync(join(tmpdir(), 'wherry-run-'));
  made += 1;
  const id = `t${process.pid}-${made}`;
  const parent = `/wherry-test-${id}`;
  const bundle = join(folder, 'bundle');
  const rootfs = join(bundle, 'rootfs');
  const outFile = join(folder, 'out');
  fillRootfs(rootfs);
  const own = config(args, `${parent}/box`);
  change(own, bundle);
  const stateRoot = join(folder, 'state');
  const call: Box['call'] = (words, { prefix = [] } = {}) => {
    const [command = program, ...rest] = [...prefix, program, '--root', stateRoot, ...words];
    const result = spawnSync(command, rest, {
      encoding: 'utf8',
      timeout: timeoutMs,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return { code: result.status ?? -1, out: result.stdout, err: result.stderr };
  };
  const box: Box = {
    id,
    folder,
    bundle,
    rootfs,
    stateRoot,
    cgroup: `${parent}/box`,
    config: own,
    save: () => writeFileSync(join(bundle, 'config.json'), JSON.stringify(own)),
    call,
    run: (...options) => call(['run', '--bundle', bundle, ...options, id]),
    detached: (...words) => {
      // A container that lives on holds its stdio: files, since a pipe would never end.
      const out = openSync(outFile, 'w');
      const err = openSync(`${outFile}.err`, 'w');
      const result = spawnSync(program, ['--root', stateRoot, ...words], {
        timeout: timeoutMs,
        stdio: ['ignore', out, err],
      });
      closeSync(out);
      closeSync(err);
      return {
        code: result.status ?? -1,
        out: readFileSync(outFile, 'utf8'),
        err: readFileSync(`${outFile}.err`, 'utf8'),
      };
    },
    output: () => readFileSync(outFile, 'utf8'),
    state: () => JSON.parse(call(['state', id]).out) as Record<string, unknown>,
  };
  box.save();
  t.teardown(() => {
    call(['delete', '--force', id]);
    for (const group of cgroupFolders(parent)) rmdirSync(group);
    rmSync(folder, { recursive: true, force: true });
  });
  return box;
}

const rooted = needs(['root']);

/** A test that needs root; `own` = only for our runtime, not for every OCI runtime. */
export function boxTest(
  title: string,
  body: (t: ExecutionContext) => void | Promise<void>,
  { own = false }: { own?: boolean } = {},
): void {
  if (own && foreign !== undefined) return;
  rooted(title, async (t) => body(t));
}

/** Waits until `done`, at most `ms`. */
export async function until(done: () => boolean, ms = 5000): Promise<boolean> {
  const end = Date.now() + ms * slowness;
  while (!done()) {
    if (Date.now() > end) return false;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return true;
}

/** A process of ours that lives until the end of the test; its pid. */
export function aProcess(t: ExecutionContext, command: string, ...args: string[]): number {
  const child = spawn(command, args, { stdio: 'ignore' });
  t.teardown(() => {
    child.kill('SIGKILL');
  });
  return child.pid ?? -1;
}
