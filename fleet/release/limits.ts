// SPDX-License-Identifier: Apache-2.0
// Limits of a service: mem_limit, cpus, pids_limit and deploy.resources.limits, which say the same. Both may
// be given only if they agree, as Compose has it.

import { integer } from '../../protocol/check.js';
import type { Workload } from '../../protocol/release.js';
import { refuse } from './fault.js';
import { checked, type Field, type Fields, fieldsOf, textOf, wholeOf } from './field.js';
import { cpuMillis, sizeBytes } from './units.js';

type Resources = Workload['resources'];

const memory = integer(128 * 1024, 1024 ** 4);
const cpu = integer(1, 1_024_000);

export function resourcesOf(service: Fields): Resources {
  const limits = deployLimits(service.get('deploy'));
  const found = {
    memoryMaxBytes: agreed(service.get('mem_limit'), limits?.get('memory'), bytesOf),
    cpuMaxMillis: agreed(service.get('cpus'), limits?.get('cpus'), cpusOf),
    pidsMax: agreed(service.get('pids_limit'), limits?.get('pids'), pidsOf),
  };
  return Object.fromEntries(
    Object.entries(found).filter(([, value]) => value !== undefined),
  ) as Resources;
}

function deployLimits(deploy: Field | undefined): Fields | undefined {
  if (deploy === undefined) return undefined;
  const resources = fieldsOf(deploy, ['resources']).get('resources');
  if (resources === undefined) return undefined;
  const limits = fieldsOf(resources, ['limits']).get('limits');
  return limits === undefined ? undefined : fieldsOf(limits, ['memory', 'cpus', 'pids']);
}

function agreed(
  short: Field | undefined,
  long: Field | undefined,
  read: (field: Field) => number,
): number | undefined {
  const first = short === undefined ? undefined : read(short);
  const second = long === undefined ? undefined : read(long);
  if (first !== undefined && second !== undefined && first !== second && long !== undefined) {
    refuse(long, `the same as ${short?.key} in line ${short?.line}, or left out`);
  }
  return first ?? second;
}

function bytesOf(field: Field): number {
  const bytes = sizeBytes(textOf(field, 'a size like 64m'));
  return bytes === undefined
    ? refuse(field, 'a size like 64m or 1g')
    : checked(field, memory, bytes);
}

function cpusOf(field: Field): number {
  const millis = cpuMillis(textOf(field, 'a number of CPUs like 0.5'));
  return millis === undefined
    ? refuse(field, 'a number of CPUs like 0.5, at least 0.001')
    : checked(field, cpu, millis);
}

function pidsOf(field: Field): number {
  return wholeOf(field, 1, 4_194_304);
}
