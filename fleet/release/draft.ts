// SPDX-License-Identifier: Apache-2.0
// One service of a Compose file as a workload, but for the image's digest. Every key is read or refused.

import { parseReference } from '../../images/oci/reference.js';
import { string } from '../../protocol/check.js';
import { codeOf, messageOf } from '../../protocol/error.js';
import { labelKey, workloadName } from '../../protocol/name.js';
import { containerPath, type Workload } from '../../protocol/release.js';
import { fault, refuse } from './fault.js';
import {
  booleanOf,
  checked,
  entriesOf,
  type Field,
  type Fields,
  fieldsOf,
  isList,
  isNull,
  itemsOf,
  need,
  plainOf,
  textOf,
  textsOf,
} from './field.js';
import { healthcheckOf, periodIn } from './health.js';
import { resourcesOf } from './limits.js';
import { mountsOf } from './mounts.js';
import { portsOf } from './ports.js';
import { splitWords } from './words.js';

/** A workload whose image is still only a reference. */
export type Draft = Omit<Workload, 'image'> & { readonly reference: string; readonly line: number };

const known = [
  'image',
  'command',
  'entrypoint',
  'environment',
  'ports',
  'volumes',
  'tmpfs',
  'healthcheck',
  'restart',
  'stop_grace_period',
  'mem_limit',
  'cpus',
  'pids_limit',
  'deploy',
  'read_only',
  'user',
  'working_dir',
  'cap_add',
  'cap_drop',
  'depends_on',
  'labels',
  'privileged',
] as const;

const capability = string({ pattern: /^(ALL|CAP_[A-Z_]{2,32})$/, form: 'ALL or like NET_ADMIN' });
const variable = string({ pattern: /^[^=\0]{1,256}$/, form: 'a variable name' });
const conditions = [
  'service_started',
  'service_healthy',
  'service_completed_successfully',
] as const;
const dayMs = 86_400_000;

/** @throws COMPOSE_KEY, COMPOSE_VALUE, COMPOSE_REFERENCE */
export function draftOf(name: string, field: Field, volumes: ReadonlySet<string>): Draft {
  const fields = fieldsOf(field, known);
  const image = need(fields, field, 'image');
  checkReference(image);
  const mounts = mountsOf(fields.get('volumes'), fields.get('tmpfs'), volumes);
  const grace = fields.get('stop_grace_period');
  return {
    name: checked(field, workloadName, name),
    reference: textOf(image, 'an image reference'),
    line: image.line,
    ...read(fields, 'entrypoint', 'entrypoint', argvOf),
    ...read(fields, 'command', 'command', argvOf),
    ...read(fields, 'environment', 'environment', environmentOf),
    ...read(fields, 'working_dir', 'workingDir', (at) => checked(at, containerPath, textOf(at))),
    ...read(fields, 'user', 'user', (at) => textOf(at, 'a user or user:group')),
    ...read(fields, 'ports', 'ports', portsOf),
    ...(mounts.length === 0 ? {} : { mounts }),
    ...read(fields, 'healthcheck', 'healthcheck', healthcheckOf),
    restart: restartOf(fields.get('restart')),
    stopGraceMs: grace === undefined ? 10_000 : periodIn(grace, 0, dayMs),
    resources: resourcesOf(fields),
    ...read(fields, 'read_only', 'readOnly', booleanOf),
    ...read(fields, 'privileged', 'privileged', booleanOf),
    ...read(fields, 'cap_add', 'capAdd', capabilitiesOf),
    ...read(fields, 'cap_drop', 'capDrop', capabilitiesOf),
    ...read(fields, 'depends_on', 'dependsOn', dependsOf),
    ...read(fields, 'labels', 'labels', labelsOf),
  };
}

function checkReference(field: Field): void {
  try {
    parseReference(textOf(field, 'an image reference'));
  } catch (error) {
    if (codeOf(error) !== 'IMAGE_REFERENCE') throw error;
    refuse(field, `an image reference: ${messageOf(error)}`);
  }
}

/** The field under its name in a release, or nothing where the file does not have it. */
function read<K extends keyof Draft, T extends Draft[K]>(
  fields: Fields,
  key: (typeof known)[number],
  name: K,
  reader: (field: Field) => T,
): { [P in K]?: T } {
  const field = fields.get(key);
  return (field === undefined ? {} : { [name]: reader(field) }) as { [P in K]?: T };
}

/** A string is split into words; `[]` and `''` mean none, not even the image's. */
function argvOf(field: Field): string[] {
  if (isList(field)) return itemsOf(field).map((item) => textOf(item));
  const words = splitWords(textOf(field, 'a string or a list of strings'));
  return words ?? refuse(field, 'a command with its quotes closed');
}

function environmentOf(field: Field): Record<string, string> {
  return Object.fromEntries(
    pairsOf(field, (at, key) => {
      checked(at, variable, key);
      return refuse(at, `given a value: ${key}=…; a device has no shell to take ${key} from`);
    }),
  );
}

function labelsOf(field: Field): Record<string, string> {
  const pairs = pairsOf(field, () => '');
  for (const [key] of pairs) checked(field, labelKey, key);
  return Object.fromEntries(pairs);
}

/** A map, or a list of KEY=VALUE. `bare` decides on a key without a value. */
function pairsOf(
  field: Field,
  bare: (field: Field, key: string) => string,
): Array<readonly [string, string]> {
  if (!isList(field)) {
    return [...entriesOf(field)].map(([key, at]) => [
      key,
      isNull(at) ? bare(at, key) : plainOf(at),
    ]);
  }
  const pairs = itemsOf(field).map((item): readonly [string, string] => {
    const text = textOf(item, 'KEY=VALUE');
    const at = text.indexOf('=');
    if (at === 0) refuse(item, 'KEY=VALUE');
    return at < 0 ? [text, bare(item, text)] : [text.slice(0, at), text.slice(at + 1)];
  });
  const repeated = pairs.find(([key], at) => pairs.findIndex(([other]) => other === key) !== at);
  if (repeated !== undefined) refuse(field, `free of repeats: ${repeated[0]} is there twice`);
  return pairs;
}

function restartOf(field: Field | undefined): Workload['restart'] {
  if (field === undefined) return { policy: 'no', retryCountMax: 0 };
  const form = '"no", always, unless-stopped, on-failure or on-failure:3';
  const [, policy, count] = /^([a-z-]+)(?::(\d{1,6}))?$/.exec(textOf(field, form)) ?? [];
  if (policy === 'on-failure') return { policy, retryCountMax: Number(count ?? 0) };
  const isOther = policy === 'no' || policy === 'always' || policy === 'unless-stopped';
  return isOther && count === undefined ? { policy, retryCountMax: 0 } : refuse(field, form);
}

function capabilitiesOf(field: Field): string[] {
  return itemsOf(field, 64).map((item) => {
    const word = textOf(item).toUpperCase();
    return checked(
      item,
      capability,
      word === 'ALL' || word.startsWith('CAP_') ? word : `CAP_${word}`,
    );
  });
}

function dependsOf(field: Field): NonNullable<Workload['dependsOn']> {
  if (isList(field)) {
    return Object.fromEntries(textsOf(field).map((name) => [name, conditions[0]]));
  }
  const pairs = [...entriesOf(field)].map(([name, at]) => {
    const condition = need(fieldsOf(at, ['condition']), at, 'condition');
    const word = conditions.find((known) => known === textOf(condition));
    return [name, word ?? refuse(condition, conditions.join(', '))] as const;
  });
  return Object.fromEntries(pairs);
}

/** Every dependency is a service of the file, and none waits for itself in the end. @throws COMPOSE_REFERENCE */
export function checkOrder(drafts: readonly Draft[], places: Fields): void {
  const waiting = new Map(drafts.map((draft) => [draft.name, Object.keys(draft.dependsOn ?? {})]));
  for (const [name, needs] of waiting) {
    const place = places.get(name);
    const absent = needs.find((need) => !waiting.has(need));
    if (absent !== undefined && place !== undefined) {
      throw fault(
        'COMPOSE_REFERENCE',
        place,
        `depends_on names ${absent}, which is no service here`,
      );
    }
  }
  for (let progress = true; progress; ) {
    progress = false;
    for (const [name, needs] of waiting) {
      if (needs.some((need) => waiting.has(need))) continue;
      waiting.delete(name);
      progress = true;
    }
  }
  const [ring] = waiting.keys();
  const place = ring === undefined ? undefined : places.get(ring);
  if (place !== undefined) {
    throw fault('COMPOSE_REFERENCE', place, `waits in a ring: ${[...waiting.keys()].join(', ')}`);
  }
}
