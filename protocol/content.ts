// SPDX-License-Identifier: Apache-2.0
// What a workload finds in its file tree beside its image (mounts, configs), and where its output goes.

import { boolean, type Checked, integer, object, oneOf, optional, string } from './check.js';
import { workloadName } from './name.js';

const kib = 1024;
const tib = 1024 ** 4;

/** An absolute path inside the container, without `.` and `..`. */
export const containerPath = string({
  pattern: /^\/(?!(?:.*\/)?\.{1,2}(?:\/|$))[^\0:]*$/,
  lengthMax: 1024,
  form: 'an absolute path without . or .. or colon',
});

const id = integer(0, 2 ** 31 - 1);
/** Permission bits as a number: 0o644 = 420. */
const mode = integer(0, 0o7777);

export const mount = object({
  type: oneOf('volume', 'bind', 'tmpfs'),
  /** The volume's name, or the host's path; absent for tmpfs. */
  source: optional(string({ lengthMax: 1024 })),
  target: containerPath,
  readOnly: optional(boolean),
  /** tmpfs only: bytes, permission bits, owner. */
  sizeMaxBytes: optional(integer(4 * kib, tib)),
  mode: optional(mode),
  uid: optional(id),
  gid: optional(id),
  /** volume only: a new one stays empty instead of taking what the image has at the target. */
  noCopy: optional(boolean),
  /** bind only: absent = rprivate. */
  propagation: optional(oneOf('private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave')),
  /** bind only: a source that is not there is made as an empty folder. */
  createHostPath: optional(boolean),
});
export type Mount = Checked<typeof mount>;

/** A volume that is more than a folder of the device: the kernel mounts it. */
export const volume = object({
  name: workloadName,
  /** `mount -t TYPE -o OPTIONS DEVICE`. */
  nfs: object({
    type: oneOf('nfs', 'nfs4'),
    /** As nfs(5) has it: HOST:/PATH, or :/PATH with addr= among the options. */
    device: string({ pattern: /^[^\s\0]{0,255}:\/[^\s\0]{0,767}$/, form: 'HOST:/PATH' }),
    options: string({
      pattern: /^[A-Za-z0-9_=:.,@%/[\]-]*$/,
      lengthMax: 512,
      form: 'mount options',
    }),
  }),
});
export type Volume = Checked<typeof volume>;

/** Files that come with the release; all of them count towards its size. */
export const config = object({
  name: workloadName,
  /** Text; a file that is no UTF-8 belongs into the image. */
  content: string({ lengthMax: 64 * kib }),
});
export type Config = Checked<typeof config>;

/** A config of the release as a read-only file of the workload. */
export const configUse = object({
  source: workloadName,
  target: containerPath,
  /** Absent = root, 0444. */
  uid: optional(id),
  gid: optional(id),
  mode: optional(mode),
});
export type ConfigUse = Checked<typeof configUse>;

export const logging = object({
  /** local and json-file both keep rotated files on the device; none keeps nothing. */
  driver: oneOf('local', 'json-file', 'none'),
  fileBytesMax: optional(integer(4 * kib, 1024 ** 3)),
  fileCountMax: optional(integer(1, 100)),
});
export type Logging = Checked<typeof logging>;
