// SPDX-License-Identifier: Apache-2.0
// Where everything lies. One `--root DIR` moves the state, the runtime files, the configuration, the cgroup
// parent, the bridge and the subnet together, so that many agents can share a machine.

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CodedError } from '../protocol/error.js';

export interface Places {
  readonly root: string;
  /** /var/lib/wherry, durable. */
  readonly state: string;
  /** /run/wherry, gone after a reboot. */
  readonly runtime: string;
  /** /etc/wherry, JSON. */
  readonly config: string;
  /** The local API's socket. */
  readonly socket: string;
  /** cgroup path of all our containers: /wherry, or /wherry-<8 hex> under another root. */
  readonly cgroupParent: string;
  /** Linux interface name, ≤ 15 characters. */
  readonly bridge: string;
  /** nftables table of ours, family ip. */
  readonly nftTable: string;
  /** IPv4 /24 for the containers: the first three octets. */
  readonly subnet: string;
}

/** `program`: the folder's name, wherry for the device side and wherry-fleet for the fleet's. */
export function placesOf(root: string, program: 'wherry' | 'wherry-fleet' = 'wherry'): Places {
  const top = resolve(root);
  const tag = top === '/' ? '' : createHash('sha256').update(top).digest('hex').slice(0, 8);
  const runtime = join(top, 'run', program);
  return {
    root: top,
    state: join(top, 'var/lib', program),
    runtime,
    config: join(top, 'etc', program),
    socket: join(runtime, 'wherryd.sock'),
    cgroupParent: tag === '' ? '/wherry' : `/wherry-${tag}`,
    bridge: tag === '' ? 'wherry0' : `wh-${tag}`,
    nftTable: tag === '' ? 'wherry' : `wherry_${tag}`,
    subnet: subnetOf(tag),
  };
}

/** 10.88.0 for the device itself; another root gets a /24 of 10.89–10.120 by its hash. */
function subnetOf(tag: string): string {
  if (tag === '') return '10.88.0';
  const hash = Number.parseInt(tag, 16);
  return `10.${89 + (hash % 32)}.${(hash >>> 8) % 256}`;
}

/** The project's or bundle's folder: the nearest one above this file that has a package.json. */
export function projectFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    const above = dirname(folder);
    if (above === folder) return process.cwd();
    folder = above;
  }
  return folder;
}

const machines: Readonly<Record<string, string>> = {
  x64: 'x86_64',
  arm64: 'aarch64',
  arm: 'armv7l',
};

export type NativeProgram = 'wherry-run' | 'wherry-keep' | 'wherry-layer' | 'wherry-init';

/**
 * Path of a native program: $WHERRY_NATIVE, build/<uname -m>/ of the project, or /usr/lib/wherry.
 * @throws NATIVE_MISSING
 */
export function nativeProgram(name: NativeProgram): string {
  const machine = machines[process.arch] ?? process.arch;
  const folders = [
    process.env['WHERRY_NATIVE'],
    join(projectFolder(), 'build', machine),
    '/usr/lib/wherry',
  ];
  for (const folder of folders) {
    if (folder !== undefined && existsSync(join(folder, name))) return join(folder, name);
  }
  throw new CodedError(
    'NATIVE_MISSING',
    `${name} is neither in build/${machine} nor in /usr/lib/wherry`,
    {
      program: name,
    },
  );
}
