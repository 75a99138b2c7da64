// SPDX-License-Identifier: Apache-2.0
// Limits of a service: memory, swap, CPU, processes, shared memory, the OOM score, and deploy.resources, which
// says some of them again. Both may be given only if they agree, as Compose has it.

import { integer, string } from '../../protocol/check.js';
import type { Resources } from '../../protocol/isolation.js';
import { refuse } from './fault.js';
import { checked, type Field, type Fields, fieldsOf, textOf, wholeOf } from './field.js';
import { knownOf, refused, refusedDeploy, refusedReservations, refusedUpdate } from './refused.js';
import { cpuMillis, sizeBytes } from './units.js';

const memory = integer(128 * 1024, 1024 ** 4);
const room = integer(4096, 1024 ** 4);
const cpu = integer(1, 1_024_000);
const cpus = string({
  pattern: /^\d{1,4}(-\d{1,4})?(,\d{1,4}(-\d{1,4})?){0,63}$/,
  form: 'CPUs by number, like 0-2,4',
});

export function resourcesOf(service: Fields): Resources {
  const deploy = deployOf(service.get('deploy'));
  const found = {
    memoryMaxBytes: agreed(service.get('mem_limit'), deploy.limits?.get('memory'), bytesOf),
    cpuMaxMillis: agreed(service.get('cpus'), deploy.limits?.get('cpus'), cpusOf),
    pidsMax: agreed(service.get('pids_limit'), deploy.limits?.get('pids'), pidsOf),
    memoryReservationBytes: agreed(
      service.get('mem_reservation'),
      deploy.reservations?.get('memory'),
      roomOf,
    ),
    memorySwapMaxBytes: agreed(service.get('memswap_limit'), undefined, swapOf),
    cpuset: agreed(service.get('cpuset'), undefined, (at) => checked(at, cpus, textOf(at))),
    cpuShares: agreed(service.get('cpu_shares'), undefined, (at) => wholeOf(at, 2, 262_144)),
    shmBytes: agreed(service.get('shm_size'), undefined, roomOf),
    oomScoreAdj: agreed(service.get('oom_score_adj'), undefined, (at) => wholeOf(at, -1000, 1000)),
  };
  checkMemory(found, service);
  return Object.fromEntries(
    Object.entries(found).filter(([, value]) => value !== undefined),
  ) as Resources;
}

interface Memory {
  readonly memoryMaxBytes: number | undefined;
  readonly memoryReservationBytes: number | undefined;
  readonly memorySwapMaxBytes: number | undefined;
}

function checkMemory(found: Memory, service: Fields): void {
  const { memoryMaxBytes: max, memoryReservationBytes: kept, memorySwapMaxBytes: swap } = found;
  const [reservation, swapField] = [service.get('mem_reservation'), service.get('memswap_limit')];
  if (reservation !== undefined && max !== undefined && (kept ?? 0) > max) {
    refuse(reservation, 'at most mem_limit');
  }
  if (swapField === undefined || swap === undefined || swap === -1) return;
  if (max === undefined) refuse(swapField, 'given with mem_limit: it is memory and swap together');
  if (swap < max) refuse(swapField, 'at least mem_limit: it is memory and swap together');
}

interface Deploy {
  readonly limits?: Fields;
  readonly reservations?: Fields;
}

const deployKeys = ['resources', 'replicas', 'mode', 'update_config', 'labels'] as const;

function deployOf(deploy: Field | undefined): Deploy {
  if (deploy === undefined) return {};
  const fields = knownOf(deploy, deployKeys, refusedDeploy);
  const [replicas, mode, update] = [
    fields.get('replicas'),
    fields.get('mode'),
    fields.get('update_config'),
  ];
  if (replicas !== undefined && textOf(replicas) !== '1')
    throw refused(replicas, refusedDeploy['replicas']);
  if (mode !== undefined && textOf(mode) !== 'replicated')
    throw refused(mode, refusedDeploy['mode']);
  if (update !== undefined) checkOrder(update);
  const resources = fields.get('resources');
  if (resources === undefined) return {};
  const parts = fieldsOf(resources, ['limits', 'reservations']);
  const [limits, reservations] = [parts.get('limits'), parts.get('reservations')];
  return {
    ...(limits === undefined ? {} : { limits: fieldsOf(limits, ['memory', 'cpus', 'pids']) }),
    ...(reservations === undefined
      ? {}
      : { reservations: knownOf(reservations, ['memory'], refusedReservations) }),
  };
}

function checkOrder(update: Field): void {
  const order = knownOf(update, ['order'], refusedUpdate).get('order');
  if (order !== undefined && textOf(order) !== 'stop-first')
    throw refused(order, refusedUpdate['order']);
}

function agreed<T extends string | number>(
  short: Field | undefined,
  long: Field | undefined,
  read: (field: Field) => T | undefined,
): T | undefined {
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

function roomOf(field: Field): number {
  const bytes = sizeBytes(textOf(field, 'a size like 64m'));
  return bytes === undefined ? refuse(field, 'a size like 64m or 1g') : checked(field, room, bytes);
}

/** 0 is as if it were not there, as Docker has it. */
function swapOf(field: Field): number | undefined {
  const text = textOf(field, 'a size like 64m, or -1 for as much swap as there is');
  if (text === '-1') return -1;
  const bytes = sizeBytes(text);
  if (bytes === undefined) refuse(field, 'a size like 64m, or -1 for as much swap as there is');
  return bytes === 0 ? undefined : checked(field, room, bytes);
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
