// SPDX-License-Identifier: Apache-2.0
// The mounts of config.json: Docker's defaults, the three files of /etc, then what the workload asks for, in
// the order of their targets' depth, so that a mount inside another one is not covered by it.

import { existsSync } from 'node:fs';
import { CodedError } from '../../protocol/error.js';
import { isBelow } from '../../protocol/path.js';
import type { Mount, Workload } from '../../protocol/release.js';
import type { Layout } from './layout.js';
import type { OciMount } from './oci.js';

const shmBytes = 64 * 1024 * 1024; // Docker's

export interface VolumeMount {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

/**
 * @param volumes every volume of workload and image, already made.
 * @param bindRoots the host folders that a bind may come from. @throws RUN_BIND
 */
export function mountsOf(
  workload: Workload,
  layout: Layout,
  volumes: readonly VolumeMount[],
  bindRoots: readonly string[],
): OciMount[] {
  const asked = [
    ...volumes.map((volume) => bind(volume.source, volume.target, volume.readOnly)),
    ...(workload.mounts ?? []).flatMap((mount) => otherMount(mount, bindRoots)),
  ];
  const depth = (mount: OciMount): number => mount.destination.split('/').length;
  return [
    ...defaults(workload.privileged === true),
    bind(layout.resolv, '/etc/resolv.conf', false),
    bind(layout.hostname, '/etc/hostname', false),
    bind(layout.hosts, '/etc/hosts', false),
    ...asked.sort((a, b) => depth(a) - depth(b)),
  ];
}

function defaults(privileged: boolean): OciMount[] {
  const mode = privileged ? 'rw' : 'ro';
  return [
    mount('/proc', 'proc', 'proc', ['nosuid', 'noexec', 'nodev']),
    mount('/dev', 'tmpfs', 'tmpfs', ['nosuid', 'strictatime', 'mode=755', 'size=65536k']),
    mount('/dev/pts', 'devpts', 'devpts', [
      'nosuid',
      'noexec',
      'newinstance',
      'ptmxmode=0666',
      'mode=0620',
      'gid=5',
    ]),
    mount('/sys', 'sysfs', 'sysfs', ['nosuid', 'noexec', 'nodev', mode]),
    mount('/sys/fs/cgroup', 'cgroup', 'cgroup', [mode, 'nosuid', 'noexec', 'nodev']),
    mount('/dev/mqueue', 'mqueue', 'mqueue', ['nosuid', 'noexec', 'nodev']),
    mount('/dev/shm', 'tmpfs', 'shm', [
      'nosuid',
      'noexec',
      'nodev',
      'mode=1777',
      `size=${shmBytes}`,
    ]),
  ];
}

function otherMount(wanted: Mount, bindRoots: readonly string[]): OciMount[] {
  const readOnly = wanted.readOnly === true;
  if (wanted.type === 'tmpfs') {
    const size = wanted.sizeMaxBytes === undefined ? [] : [`size=${wanted.sizeMaxBytes}`];
    const mode = readOnly ? 'ro' : 'rw';
    return [
      mount(wanted.target, 'tmpfs', 'tmpfs', [
        'nosuid',
        'nodev',
        'noexec',
        mode,
        'mode=1777',
        ...size,
      ]),
    ];
  }
  if (wanted.type === 'volume') return []; // among `volumes`
  const source = wanted.source ?? '';
  if (!bindRoots.some((root) => isBelow(source, root))) {
    throw new CodedError(
      'RUN_BIND',
      `the bind mount's source ${source} is below no allowed folder`,
      {
        source,
        target: wanted.target,
      },
    );
  }
  if (!source.startsWith('/') || !existsSync(source)) {
    throw new CodedError('RUN_BIND', `the bind mount's source ${source} is not on this device`, {
      source,
      target: wanted.target,
    });
  }
  return [bind(source, wanted.target, readOnly)];
}

function bind(source: string, destination: string, readOnly: boolean): OciMount {
  return mount(destination, 'bind', source, ['rbind', 'rprivate', readOnly ? 'ro' : 'rw']);
}

function mount(
  destination: string,
  type: string,
  source: string,
  options: readonly string[],
): OciMount {
  return { destination, type, source, options };
}
