// SPDX-License-Identifier: Apache-2.0
// OCI bundles for a device on which Node is too slow to drive tests: config.json files are written here on the host, and
// a few lines of shell on the device make the root of busybox and run the real runtime.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Answer, Device } from '../lab/device/device.js';

export interface Case {
  readonly name: string;
  readonly args: readonly string[];
  readonly resources?: object;
  readonly seccomp?: object;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** cgroup of a case's container, below /sys/fs/cgroup. */
export function groupOf(name: string): string {
  return `/lab-test/${name}`;
}

/** Writes `share`/NAME/config.json; the root is /tmp/NAME/rootfs on the device. */
export function writeCase(share: string, each: Case): void {
  const { name, args, resources = {}, seccomp, annotations = {} } = each;
  const namespaces = ['pid', 'network', 'ipc', 'uts', 'mount', 'cgroup'].map((type) => ({ type }));
  mkdirSync(join(share, name), { recursive: true });
  const config = {
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
    hostname: name,
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755'] },
    ],
    annotations,
    linux: {
      cgroupsPath: groupOf(name),
      namespaces,
      resources,
      ...(seccomp === undefined ? {} : { seccomp }),
    },
  };
  writeFileSync(join(share, name, 'config.json'), JSON.stringify(config));
}

const applets = 'sh echo cat sleep true tail mkdir id hostname touch head wc seq';

/** Makes the case's bundle on the device; `rootfs` is the folder that gets busybox. */
export async function placeCase(device: Device, name: string, rootfs = 'rootfs'): Promise<void> {
  await device.must(
    `mkdir -p /tmp/${name}/rootfs /tmp/${name}/${rootfs}/bin /tmp/${name}/${rootfs}/proc /tmp/${name}/${rootfs}/dev && cd /tmp/${name} && cp /lab/share/${name}/config.json . && cp /usr/bin/busybox ${rootfs}/bin/ && for a in ${applets}; do ln -s busybox ${rootfs}/bin/$a; done`,
  );
}

/** One call of the runtime on the device, of the programs in the share. */
export async function runtime(device: Device, words: string): Promise<Answer> {
  return device.run(`/lab/share/bin/wherry-run --root /run/lab-test ${words}`);
}
