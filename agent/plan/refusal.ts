// SPDX-License-Identifier: Apache-2.0
// Why a release cannot be done on this device at all: it contradicts itself, or the device's policy forbids
// what it asks for. Everything is found before anything is pulled or stopped.

import type { Code } from '../../protocol/codes.js';
import type { Mount } from '../../protocol/content.js';
import type { Port } from '../../protocol/network.js';
import { isBelow } from '../../protocol/path.js';
import type { Release, Workload } from '../../protocol/release.js';
import type { Policy } from './observed.js';
import { circleOf } from './order.js';
import { partsRefusal } from './parts.js';
import { rightsRefusal } from './rights.js';

export interface Refusal {
  readonly code: Code;
  readonly message: string;
}

/** The first reason, or undefined where the release can be done. */
export function refusalOf(release: Release, policy: Policy): Refusal | undefined {
  return (
    namesRefusal(release.workloads) ??
    dependencyRefusal(release.workloads) ??
    portsRefusal(release.workloads) ??
    firstOf(release.workloads, (workload) => partsRefusal(workload, release)) ??
    firstOf(release.workloads, (workload) => workloadRefusal(workload, policy))
  );
}

export function firstOf<T>(
  items: readonly T[],
  find: (item: T) => Refusal | undefined,
): Refusal | undefined {
  for (const item of items) {
    const found = find(item);
    if (found !== undefined) return found;
  }
  return undefined;
}

function namesRefusal(workloads: readonly Workload[]): Refusal | undefined {
  const names = workloads.map(({ name }) => name);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  return twice === undefined
    ? undefined
    : { code: 'PLAN_NAMES', message: `two workloads are named ${twice}` };
}

function dependencyRefusal(workloads: readonly Workload[]): Refusal | undefined {
  const names = new Set(workloads.map(({ name }) => name));
  for (const { name, dependsOn } of workloads) {
    const absent = Object.keys(dependsOn ?? {}).find((other) => !names.has(other));
    if (absent !== undefined) {
      const message = `workload ${name} depends on ${absent}, which the release does not have`;
      return { code: 'PLAN_DEPENDENCY', message };
    }
  }
  const circle = circleOf(workloads);
  if (circle.length === 0) return undefined;
  return { code: 'PLAN_CYCLE', message: `workloads depend in a circle: ${circle.join(', ')}` };
}

function portsRefusal(workloads: readonly Workload[]): Refusal | undefined {
  const taken: Array<{ name: string; port: Port }> = [];
  for (const { name, ports } of workloads) {
    for (const port of ports ?? []) {
      const other = taken.find((one) => collide(one.port, port));
      if (other !== undefined) {
        const what = `${port.published}/${port.protocol}`;
        return { code: 'PLAN_PORTS', message: `${other.name} and ${name} both publish ${what}` };
      }
      taken.push({ name, port });
    }
  }
  return undefined;
}

function collide(one: Port, other: Port): boolean {
  if (one.published !== other.published || one.protocol !== other.protocol) return false;
  return isEvery(one.hostIp) || isEvery(other.hostIp) || one.hostIp === other.hostIp;
}

function isEvery(hostIp: string | undefined): boolean {
  return hostIp === undefined || hostIp === '0.0.0.0' || hostIp === '::';
}

/** What the workload asks for and the device's policy forbids. */
function workloadRefusal(workload: Workload, policy: Policy): Refusal | undefined {
  return (
    rightsRefusal(workload, policy) ??
    firstOf(workload.mounts ?? [], (mount) => mountRefusal(workload.name, mount, policy))
  );
}

const volumePattern = /^[a-z0-9][a-z0-9_.-]{0,62}$/;

function mountRefusal(name: string, mount: Mount, policy: Policy): Refusal | undefined {
  const where = `workload ${name}, mount ${mount.target}`;
  const source = mount.source ?? '';
  if (mount.type === 'volume' && !volumePattern.test(source)) {
    return { code: 'PLAN_MOUNT', message: `${where}: '${source}' is not a volume's name` };
  }
  if (mount.type !== 'bind') return undefined;
  if (!isPlainPath(source)) {
    return { code: 'PLAN_MOUNT', message: `${where}: '${source}' is not a plain absolute path` };
  }
  if (policy.bindRoots.some((root) => isBelow(source, root))) return undefined;
  return {
    code: 'POLICY_BIND',
    message: `${where}: this device forbids binds of ${source}`,
  };
}

function isPlainPath(path: string): boolean {
  if (!path.startsWith('/') || path.includes('\0')) return false;
  return !path.split('/').some((part) => part === '.' || part === '..');
}
