// SPDX-License-Identifier: Apache-2.0
// The keys that Compose knows and a fleet of devices does not do, each with the reason and what to write instead.

import type { CodedError } from '../../protocol/error.js';
import { fault } from './fault.js';
import { entriesOf, type Field, type Fields } from './field.js';

export type Reasons = Readonly<Record<string, string>>;

const windows = 'it is a setting of Windows';
const buildTime =
  'a release names images that are built: build it, push it, and name it under image';
const noNamespace = 'every workload has namespaces of its own on a device';
const wave =
  'how a fleet is updated is said to `wherry-fleet rollout start`: --canary, --wave, --bake';

export const refusedService: Reasons = {
  annotations: 'write them under labels',
  blkio_config: 'device flash is not shared out by weight; limit memory and CPU instead',
  build: buildTime,
  cgroup: noNamespace,
  cgroup_parent: 'the agent has all its workloads under one parent of its own',
  cpu_count: windows,
  cpu_percent: windows,
  cpu_period: 'write cpus: the period follows from it',
  cpu_quota: 'write cpus: 50000 of 100000 is cpus: 0.5',
  cpu_rt_period: 'real-time groups are not in the kernels of devices; use cpu_shares',
  cpu_rt_runtime: 'real-time groups are not in the kernels of devices; use cpu_shares',
  credential_spec: windows,
  develop: "it is for a developer's machine; leave it out",
  device_cgroup_rules: 'name the devices under devices',
  external_links: 'a workload knows those of its own release by their names',
  gpus: 'name the nodes under devices, /dev/dri for example',
  isolation: windows,
  label_file: 'write them under labels',
  links:
    'services of a file know each other by their names; give other names as aliases under networks',
  mac_address: 'links are made anew on each device, with an address of their own',
  mem_swappiness: 'it is only in the old cgroups; write memswap_limit',
  models: 'models are files: put them into an image or a volume',
  pid: noNamespace,
  post_start: "put it into the image's entrypoint, or into a service that others depend on",
  pre_stop: 'let the program do it on stop_signal, within stop_grace_period',
  provider: 'a device runs containers only',
  runtime: 'wherry-run is the runtime',
  secrets:
    'a release is readable by the whole tenant, and secrets cannot be sealed to a device yet; bind a file of the device',
  storage_opt: 'the writable layer is a folder of the device; use a volume or a tmpfs with a size',
  use_api_socket: 'there is no engine to speak to on a device',
  userns_mode: noNamespace,
  uts: noNamespace,
  volumes_from: 'name the same volume in both services',
};

export const refusedDeploy: Reasons = {
  replicas: 'a device runs each workload once; more devices are more replicas',
  mode: 'each device that the rollout reaches runs the release; leave it out',
  placement: 'which devices run it is said to `wherry-fleet rollout start --selector`',
  endpoint_mode: 'there is no load balancer on a device',
  restart_policy: 'write restart',
  rollback_config: 'a device goes back by itself when the gate fails: x-wherry.gate',
};

export const refusedUpdate: Reasons = {
  order: 'a device switches a release as a whole, the old one stopped first: stop-first',
  parallelism: wave,
  delay: wave,
  monitor: wave,
  max_failure_ratio: wave,
  failure_action: wave,
};

export const refusedReservations: Reasons = {
  cpus: 'nothing is scheduled by load; write cpu_shares',
  pids: 'write limits.pids',
  devices: 'name the nodes under devices, /dev/dri for example',
  generic_resources: 'nothing is scheduled by resources; use labels and a selector',
};

export const refusedTop: Reasons = {
  include: 'a release is one file; take services of others with extends',
  models: 'models are files: put them into an image or a volume',
  secrets: refusedService['secrets'] ?? '',
};

export function refused(place: Field, reason: string | undefined): CodedError {
  return fault('COMPOSE_REFUSED', place, `is not done on a device: ${reason}`);
}

/** A map all of whose keys are known; those that Compose knows and we do not do are refused with their reason. */
export function knownOf(field: Field, known: readonly string[], reasons: Reasons): Fields {
  const fields = entriesOf(field);
  for (const [key, place] of fields) {
    if (known.includes(key) || key.startsWith('x-')) continue;
    if (Object.hasOwn(reasons, key)) throw refused(place, reasons[key]);
    throw fault('COMPOSE_KEY', place, `unknown key; allowed here are ${known.join(', ')}`);
  }
  return fields;
}
