// SPDX-License-Identifier: Apache-2.0
// A Compose file as drafts of workloads. Pure: text in, drafts and notes out. Every key has a meaning here
// or is an error; what Compose itself ignores (version, other x- keys) becomes a note.

import { parseYaml, YamlError, type YamlNode } from '../../adapters/yaml.js';
import { workloadName } from '../../protocol/name.js';
import type { Gate } from '../../protocol/release.js';
import { checkOrder, type Draft, draftOf } from './draft.js';
import { fault, refuse } from './fault.js';
import {
  checked,
  entriesOf,
  type Field,
  type Fields,
  fieldsOf,
  isNull,
  need,
  textOf,
} from './field.js';
import { periodIn } from './health.js';
import { secretNotes } from './secret.js';

export interface Compose {
  /** The top-level name. */
  readonly name?: string;
  readonly gate: Gate;
  readonly drafts: readonly Draft[];
  /** For the person: ignored keys, values that look like secrets. Each with file and line. */
  readonly notes: readonly string[];
}

const defaultGate: Gate = { bakeMs: 10_000, deadlineMs: 300_000 };
const known = ['name', 'version', 'services', 'volumes', 'x-wherry'];
const workloadCountMax = 64;
const dayMs = 86_400_000;

/** `file` is what errors call it. @throws COMPOSE_* */
export function readCompose(text: string, file: string): Compose {
  const top: Field = { file, line: 1, key: '', node: parse(text, file) };
  const fields = topFields(top);
  const name = fields.get('name');
  const volumes = volumesOf(fields.get('volumes'));
  const servicesField = need(fields, top, 'services');
  const services = entriesOf(servicesField);
  if (services.size === 0) refuse(servicesField, 'a map of at least one service');
  if (services.size > workloadCountMax)
    refuse(servicesField, `at most ${workloadCountMax} services`);
  const drafts = [...services].map(([key, field]) => draftOf(key, field, volumes));
  checkOrder(drafts, services);
  checkPorts(drafts, servicesField);
  return {
    ...(name === undefined ? {} : { name: checked(name, workloadName, textOf(name)) }),
    gate: gateOf(fields.get('x-wherry')),
    drafts,
    notes: [...ignored(fields), ...drafts.flatMap((draft) => secretNotes(draft, file, services))],
  };
}

function parse(text: string, file: string): YamlNode {
  try {
    return parseYaml(text);
  } catch (error) {
    if (!(error instanceof YamlError)) throw error;
    throw fault('COMPOSE_FILE', { file, line: error.line, key: '' }, error.message);
  }
}

/** Compose gives x- keys no meaning: they hold anchors. */
function topFields(top: Field): Fields {
  const fields = entriesOf(top);
  for (const [key, field] of fields) {
    if (known.includes(key) || key.startsWith('x-')) continue;
    throw fault('COMPOSE_KEY', field, `unknown key; allowed here are ${known.join(', ')}`);
  }
  return fields;
}

function ignored(fields: Fields): string[] {
  return [...fields]
    .filter(([key]) => key === 'version' || (key.startsWith('x-') && key !== 'x-wherry'))
    .map(([key, { file, line }]) => `${file}:${line}: ${key} has no meaning and is ignored`);
}

function volumesOf(field: Field | undefined): ReadonlySet<string> {
  if (field === undefined || isNull(field)) return new Set();
  const names = [...entriesOf(field)].map(([name, at]) => {
    if (!isNull(at) && entriesOf(at).size > 0) {
      const [key, inner] = [...entriesOf(at)][0] ?? ['', at];
      throw fault('COMPOSE_KEY', inner, `unknown key ${key}; a volume here is only a name`);
    }
    return checked(at, workloadName, name);
  });
  return new Set(names);
}

function gateOf(field: Field | undefined): Gate {
  const gate = field === undefined ? undefined : fieldsOf(field, ['gate']).get('gate');
  if (gate === undefined) return defaultGate;
  const fields = fieldsOf(gate, ['bake', 'deadline']);
  const bake = fields.get('bake');
  const deadline = fields.get('deadline');
  return {
    bakeMs: bake === undefined ? defaultGate.bakeMs : periodIn(bake, 0, dayMs),
    deadlineMs:
      deadline === undefined ? defaultGate.deadlineMs : periodIn(deadline, 1000, 7 * dayMs),
  };
}

/** Two services cannot publish one port of the device. */
function checkPorts(drafts: readonly Draft[], place: Field): void {
  const owners = new Map<string, string>();
  for (const { name, ports = [] } of drafts) {
    for (const { hostIp = '', published, protocol } of ports) {
      const key = `${hostIp} ${published}/${protocol}`.trim();
      const other = owners.get(key);
      if (other !== undefined && other !== name) {
        refuse(place, `free of clashes: ${other} and ${name} both publish ${key}`);
      }
      owners.set(key, name);
    }
  }
}
