// SPDX-License-Identifier: Apache-2.0
// A small OCI bundle around Debian's busybox-static, for tests that drive wherry-keep with a real runtime. Its cgroups
// lie below a parent of the test's own, which is removed again.

import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const controllers = ['memory', 'cpu', 'cpuacct', 'pids', 'devices', 'freezer', 'blkio', 'cpuset'];
const cgroupFolders = [
  ...[...controllers, 'systemd', 'unified'].map((name) => `/sys/fs/cgroup/${name}`),
  '/sys/fs/cgroup',
];
const applets = ['sh', 'sleep', 'cat', 'seq', 'yes', 'head', 'dd', 'test', 'tail', 'touch', 'rm'];

export interface BundleOptions {
  readonly args: readonly string[];
  /** Path below the cgroup root, with a leading slash. */
  readonly cgroupsPath: string;
  readonly memoryBytesMax?: number;
}

/** The folder's parent is one that all can pass; config.json is written anew on each call. */
export function writeBundle(folder: string, options: BundleOptions): void {
  const bin = join(folder, 'rootfs/bin');
  if (!existsSync(bin)) {
    for (const name of ['bin', 'proc', 'dev', 'tmp']) {
      mkdirSync(join(folder, 'rootfs', name), { recursive: true });
    }
    copyFileSync('/bin/busybox', join(bin, 'busybox'));
    chmodSync(join(bin, 'busybox'), 0o755);
    for (const name of applets) execFileSync('ln', ['-s', 'busybox', join(bin, name)]);
  }
  writeFileSync(join(folder, 'config.json'), JSON.stringify(configOf(options)));
}

function configOf({ args, cgroupsPath, memoryBytesMax }: BundleOptions): object {
  const limit = memoryBytesMax;
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      args,
      env: ['PATH=/bin'],
      cwd: '/',
      capabilities: { bounding: [], effective: [], permitted: [], inheritable: [], ambient: [] },
      noNewPrivileges: true,
    },
    root: { path: 'rootfs', readonly: false },
    hostname: 'kept',
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      {
        destination: '/dev',
        type: 'tmpfs',
        source: 'tmpfs',
        options: ['nosuid', 'mode=755', 'size=64k'],
      },
    ],
    linux: {
      namespaces: ['pid', 'ipc', 'uts', 'mount', 'network'].map((type) => ({ type })),
      cgroupsPath,
      resources: limit === undefined ? {} : { memory: { limit, swap: limit }, pids: { limit: 64 } },
    },
  };
}

/** Removes the test's own empty cgroups. */
export function removeCgroups(parent: string): void {
  for (const folder of cgroupFolders) {
    if (existsSync(folder + parent)) rmdirSync(folder + parent);
  }
}
