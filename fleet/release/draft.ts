// SPDX-License-Identifier: Apache-2.0
// One service of a Compose file as a workload, but for the image's digest. Every key is read, refused with a
// reason, or named in a note as being without effect.

import { parsePlatform } from '../../images/oci/platform.js';
import { parseReference } from '../../images/oci/reference.js';
import { containerPath } from '../../protocol/content.js';
import { codeOf, messageOf } from '../../protocol/error.js';
import { workloadName } from '../../protocol/name.js';
import { hostName } from '../../protocol/network.js';
import type { Workload } from '../../protocol/release.js';
import { configUsesOf, loggingOf } from './content.js';
import type { Context } from './context.js';
import { refuse } from './fault.js';
import {
  booleanOf,
  checked,
  type Field,
  type Fields,
  isList,
  itemsOf,
  need,
  textOf,
  textsOf,
} from './field.js';
import { healthcheckOf, periodIn } from './health.js';
import { checkIdle, idleKeys } from './idle.js';
import { resourcesOf } from './limits.js';
import { mountsOf } from './mounts.js';
import { dnsOf, extraHostsOf, hostnameOf } from './names.js';
import { placesOf } from './networks.js';
import { dependsOf } from './order.js';
import { environmentOf, labelsOf } from './pairs.js';
import { portsOf } from './ports.js';
import { knownOf, refusedService } from './refused.js';
import { capabilitiesOf, devicesOf, securityOf, sysctlsOf, ulimitsOf } from './rights.js';
import { scheduleOf, signalOf } from './times.js';
import { splitWords } from './words.js';

/** A workload whose image is still only a reference. */
export type Draft = Omit<Workload, 'image'> & {
  readonly reference: string;
  /** os/architecture[/variant]: the image is pinned to it. */
  readonly platform?: string;
  readonly line: number;
};

const dayMs = 86_400_000;
type Reader<T> = (field: Field, context: Context) => T;

/** Keys that become one field each. */
const readers = {
  entrypoint: ['entrypoint', argvOf],
  command: ['command', argvOf],
  working_dir: ['workingDir', (at: Field) => checked(at, containerPath, textOf(at))],
  user: ['user', (at: Field) => textOf(at, 'a user or user:group')],
  group_add: ['groupAdd', (at: Field) => itemsOf(at, 32).map((item) => textOf(item))],
  ports: ['ports', portsOf],
  healthcheck: ['healthcheck', healthcheckOf],
  read_only: ['readOnly', booleanOf],
  privileged: ['privileged', booleanOf],
  init: ['init', booleanOf],
  cap_add: ['capAdd', capabilitiesOf],
  cap_drop: ['capDrop', capabilitiesOf],
  security_opt: ['security', securityOf],
  devices: ['devices', devicesOf],
  ulimits: ['ulimits', ulimitsOf],
  sysctls: ['sysctls', sysctlsOf],
  configs: ['configs', configUsesOf],
  logging: ['logging', loggingOf],
  extra_hosts: ['extraHosts', extraHostsOf],
  domainname: ['domainname', (at: Field) => checked(at, hostName, textOf(at))],
  depends_on: ['dependsOn', dependsOf],
  stop_signal: ['stopSignal', signalOf],
  platform: ['platform', platformOf],
} as const satisfies Record<string, readonly [keyof Draft, Reader<unknown>]>;

/** Keys that are read together with others. */
const joint = [
  'image',
  'environment',
  'env_file',
  'labels',
  'hostname',
  'container_name',
  'network_mode',
  'networks',
  'dns',
  'dns_search',
  'dns_opt',
  'volumes',
  'tmpfs',
  'restart',
  'stop_grace_period',
  'mem_limit',
  'mem_reservation',
  'memswap_limit',
  'cpus',
  'cpuset',
  'cpu_shares',
  'pids_limit',
  'shm_size',
  'oom_score_adj',
  'deploy',
  'profiles',
  'x-wherry',
] as const;

export const knownKeys: readonly string[] = [...joint, ...Object.keys(readers), ...idleKeys];

/** @throws COMPOSE_* */
export function draftOf(name: string, field: Field, context: Context): Draft {
  const fields = knownOf(field, knownKeys, refusedService);
  checkIdle(fields, context);
  const image = need(fields, field, 'image');
  checkReference(image);
  const mounts = mountsOf(fields.get('volumes'), fields.get('tmpfs'), context.volumes);
  const grace = fields.get('stop_grace_period');
  return {
    name: checked(field, workloadName, name),
    reference: textOf(image, 'an image reference'),
    line: image.line,
    ...environmentOf(fields.get('environment'), fields.get('env_file'), context),
    ...labelsOf(fields.get('labels')),
    ...hostnameOf(fields.get('hostname')),
    ...placesOf(fields, callName(fields.get('container_name')), context),
    ...dnsOf(fields),
    ...(mounts.length === 0 ? {} : { mounts }),
    restart: restartOf(fields.get('restart')),
    stopGraceMs: grace === undefined ? 10_000 : periodIn(grace, 0, dayMs),
    resources: resourcesOf(fields),
    ...scheduleOf(fields.get('x-wherry')),
    ...simple(fields, context),
  };
}

function simple(fields: Fields, context: Context): Partial<Draft> {
  const found: Record<string, unknown> = {};
  for (const [key, [name, read]] of Object.entries(readers)) {
    const field = fields.get(key);
    if (field !== undefined) found[name] = (read as Reader<unknown>)(field, context);
  }
  return found as Partial<Draft>;
}

function checkReference(field: Field): void {
  try {
    parseReference(textOf(field, 'an image reference'));
  } catch (error) {
    if (codeOf(error) !== 'IMAGE_REFERENCE') throw error;
    refuse(field, `an image reference: ${messageOf(error)}`);
  }
}

function platformOf(field: Field): string {
  const text = textOf(field);
  try {
    parsePlatform(text);
    return text;
  } catch (error) {
    if (codeOf(error) !== 'USAGE') throw error;
    return refuse(field, 'OS/ARCHITECTURE[/VARIANT] like linux/arm/v7');
  }
}

/** A device calls a container by its service; the other name is one more that neighbours may use. */
function callName(field: Field | undefined): string | undefined {
  if (field === undefined) return undefined;
  const text = textOf(field);
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/.test(text)) refuse(field, 'letters, digits, _ . and -');
  return checked(field, hostName, text);
}

/** A string is split into words; `[]` and `''` mean none, not even the image's. */
function argvOf(field: Field): string[] {
  if (isList(field)) return itemsOf(field).map((item) => textOf(item));
  const words = splitWords(textOf(field, 'a string or a list of strings'));
  return words ?? refuse(field, 'a command with its quotes closed');
}

function restartOf(field: Field | undefined): Workload['restart'] {
  if (field === undefined) return { policy: 'no', retryCountMax: 0 };
  const form = '"no", always, unless-stopped, on-failure or on-failure:3';
  const [, policy, count] = /^([a-z-]+)(?::(\d{1,6}))?$/.exec(textOf(field, form)) ?? [];
  if (policy === 'on-failure') return { policy, retryCountMax: Number(count ?? 0) };
  const isOther = policy === 'no' || policy === 'always' || policy === 'unless-stopped';
  return isOther && count === undefined ? { policy, retryCountMax: 0 } : refuse(field, form);
}

/** The profiles that a service belongs to; none = it is always there. */
export function profilesOf(service: Field): string[] {
  if (service.node.kind !== 'map') return [];
  const entry = service.node.entries.find(({ key }) => key === 'profiles');
  if (entry === undefined) return [];
  const place = { ...service, line: entry.line, key: `${service.key}.profiles`, node: entry.value };
  return textsOf(place);
}
