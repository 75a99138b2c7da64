// SPDX-License-Identifier: Apache-2.0
// The mounts of config.json: Docker's defaults, the three files of /etc, then what the workload asks for, in
// the order of their targets' depth, so that a mount inside another one is not covered by it.

import { existsSync } from 'node:fs';
import type { Mount } from '../../protocol/content.js';
import { CodedError } from '../../protocol/error.js';
import type { Workload } from '../../protocol/release.js';
import { rootOfBind } from './bind.js';
import type { Layout } from './layout.js';
import type { OciMount } from './oci.js';

const shmBytes = 64 * 1024 * 1024; // Docker's
/** Where the init lies in a container: /dev is ours, so nothing of the image is covered. */
export const initPath = '/dev/wherry-init';

export interface VolumeMount {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

/** A file of ours on the device, read-only in the container. */
export interface FileMount {
  readonly source: string;
  readonly target: string;
}

/**
 * @param volumes every volume of workload and image, already made.
 * @param bindRoots the host folders that a bind may come from.
 * @param files configs, already written, and the init. @throws RUN_BIND
 */
export function mountsOf(
  workload: Workload,
  layout: Layout,
  volumes: readonly VolumeMount[],
  bindRoots: readonly string[],
  files: readonly FileMount[] = [],
): OciMount[] {
  const asked = [
    ...volumes.map((volume) => bind(volume.source, volume.target, volume.readOnly)),
    ...(workload.mounts ?? []).flatMap((mount) => otherMount(mount, bindRoots)),
    ...files.map(({ source, target }) => bind(source, target, true)),
  ];
  const depth = (mount: OciMount): number => mount.destination.split('/').length;
  return [
    ...defaults(workload),
    bind(layout.resolv, '/etc/resolv.conf', false),
    bind(layout.hostname, '/etc/hostname', false),
    bind(layout.hosts, '/etc/hosts', false),
    ...asked.sort((a, b) => depth(a) - depth(b)),
  ];
}

function defaults(workload: Workload): OciMount[] {
  const mode = workload.privileged === true ? 'rw' : 'ro';
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
      `size=${workload.resources.shmBytes ?? shmBytes}`,
    ]),
  ];
}

function otherMount(wanted: Mount, bindRoots: readonly string[]): OciMount[] {
  const readOnly = wanted.readOnly === true;
  if (wanted.type === 'tmpfs') return [tmpfs(wanted, readOnly)];
  if (wanted.type === 'volume') return []; // among `volumes`
  const source = wanted.source ?? '';
  rootOfBind(wanted, bindRoots);
  if (!source.startsWith('/') || !existsSync(source)) {
    throw new CodedError('RUN_BIND', `the bind mount's source ${source} is not on this device`, {
      source,
      target: wanted.target,
    });
  }
  return [bind(source, wanted.target, readOnly, wanted.propagation)];
}

function tmpfs(wanted: Mount, readOnly: boolean): OciMount {
  const { sizeMaxBytes, mode = 0o1777, uid, gid } = wanted;
  return mount(wanted.target, 'tmpfs', 'tmpfs', [
    'nosuid',
    'nodev',
    'noexec',
    readOnly ? 'ro' : 'rw',
    `mode=${mode.toString(8)}`,
    ...(uid === undefined ? [] : [`uid=${uid}`]),
    ...(gid === undefined ? [] : [`gid=${gid}`]),
    ...(sizeMaxBytes === undefined ? [] : [`size=${sizeMaxBytes}`]),
  ]);
}

function bind(
  source: string,
  destination: string,
  readOnly: boolean,
  propagation = 'rprivate',
): OciMount {
  return mount(destination, 'bind', source, ['rbind', propagation, readOnly ? 'ro' : 'rw']);
}

function mount(
  destination: string,
  type: string,
  source: string,
  options: readonly string[],
): OciMount {
  return { destination, type, source, options };
}
