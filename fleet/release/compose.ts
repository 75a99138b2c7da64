// SPDX-License-Identifier: Apache-2.0
// A Compose file as drafts of workloads and what they share. Everything comes in by arguments: text, variables,
// profiles, a way to read the files beside it. Every key has a meaning here or is an error; what is taken and
// has no effect becomes a note.

import type { Config, Volume } from '../../protocol/content.js';
import { workloadName } from '../../protocol/name.js';
import type { Network } from '../../protocol/network.js';
import type { Gate } from '../../protocol/release.js';
import { configsOf, volumesOf } from './content.js';
import { type Context, type ReadText, readBeside } from './context.js';
import { type Draft, draftOf, profilesOf } from './draft.js';
import { extendAll } from './extend.js';
import { fault, type Place, refuse } from './fault.js';
import { checked, entriesOf, type Field, type Fields, fieldsOf, need, textOf } from './field.js';
import { periodIn } from './health.js';
import type { Lookup } from './interpolate.js';
import { networksOf } from './networks.js';
import { checkOrder, withSharer } from './order.js';
import { knownOf, refusedTop } from './refused.js';
import { secretNotes } from './secret.js';
import { parseTree } from './tree.js';

export interface Compose {
  /** The top-level name. */
  readonly name?: string;
  readonly gate: Gate;
  readonly drafts: readonly Draft[];
  readonly networks: readonly Network[];
  readonly volumes: readonly Volume[];
  readonly configs: readonly Config[];
  /** For the person: keys without effect, values that look like secrets. Each with file and line. */
  readonly notes: readonly string[];
}

export interface ComposeOptions {
  /** The release's variables: a release must not depend on the shell that it was made in. */
  readonly variables?: ReadonlyMap<string, string>;
  /** Services of these profiles are in it too; `*` = of all. */
  readonly profiles?: readonly string[];
  /** For env_file, extends, configs and seccomp files. */
  readonly readText?: ReadText;
}

const defaultGate: Gate = { bakeMs: 10_000, deadlineMs: 300_000 };
const known = ['name', 'version', 'services', 'volumes', 'networks', 'configs', 'x-wherry'];
const workloadCountMax = 64;
const fileCountMax = 16;
const dayMs = 86_400_000;

/** `file` is what errors call it, and where the paths in it start. @throws COMPOSE_* */
export function readCompose(text: string, file: string, options: ComposeOptions = {}): Compose {
  const { variables = new Map(), profiles = [], readText = noFiles } = options;
  const lookup: Lookup = (name) => variables.get(name);
  const notes: string[] = [];
  const top: Field = { file, line: 1, key: '', node: parseTree(text, file, lookup) };
  const fields = knownOf(top, known, refusedTop);
  const name = fields.get('name');
  const all = extendAll(servicesOf(fields, top), loader(readText, lookup));
  const services = new Map([...all].filter(([, field]) => isIn(profilesOf(field), profiles)));
  const read = readerOf(readText);
  const volumes = volumesOf(fields.get('volumes'));
  const networks = networksOf(fields.get('networks'));
  const configs = configsOf(fields.get('configs'), { read, lookup });
  const context: Context = {
    services: new Set(services.keys()),
    volumes: volumes.names,
    networks: new Set(networks.map((network) => network.name)),
    configs: new Set(configs.map((config) => config.name)),
    lookup,
    read,
    note: (place, what) => notes.push(`${place.file}:${place.line}: ${place.key}: ${what}`),
  };
  const drafts = [...services].map(([key, field]) => withSharer(draftOf(key, field, context)));
  checkOrder(drafts, services);
  checkPorts(drafts, need(fields, top, 'services'));
  return {
    ...(name === undefined ? {} : { name: checked(name, workloadName, textOf(name)) }),
    gate: gateOf(fields.get('x-wherry')),
    drafts,
    ...used(drafts, { networks, volumes: volumes.mounted, configs }),
    notes: [
      ...ignored(fields),
      ...notes,
      ...drafts.flatMap((draft) => secretNotes(draft, services)),
    ],
  };
}

function noFiles(path: string): string {
  throw new Error(`no files can be read here: ${path}`);
}

function servicesOf(fields: Fields, top: Field): Fields {
  const field = need(fields, top, 'services');
  const services = entriesOf(field);
  if (services.size === 0) refuse(field, 'a map of at least one service');
  if (services.size > workloadCountMax) refuse(field, `at most ${workloadCountMax} services`);
  return services;
}

function readerOf(readText: ReadText): Context['read'] {
  return (place, path, optional = false) => {
    const text = readBeside(readText, place, path);
    if (text !== undefined || optional) return text;
    throw fault('COMPOSE_FILE', place, `the file ${path} is not there`);
  };
}

/** Each file is read once; extends cannot read without end. */
function loader(readText: ReadText, lookup: Lookup): (place: Field, path: string) => Fields {
  const seen = new Map<string, Fields>();
  return (place, path) => {
    const file = path.startsWith('/') ? path : `${folderOf(place)}${path}`;
    const before = seen.get(file);
    if (before !== undefined) return before;
    if (seen.size >= fileCountMax) refuse(place, `at most ${fileCountMax} files`);
    const text = readBeside(readText, place, path);
    if (text === undefined) throw fault('COMPOSE_FILE', place, `the file ${path} is not there`);
    const top: Field = { file, line: 1, key: '', node: parseTree(text, file, lookup) };
    const services = entriesOf(need(entriesOf(top), top, 'services'));
    seen.set(file, services);
    return services;
  };
}

function folderOf({ file }: Place): string {
  return file.includes('/') ? file.replace(/\/[^/]*$/, '/') : '';
}

function isIn(own: readonly string[], wanted: readonly string[]): boolean {
  return own.length === 0 || wanted.includes('*') || own.some((one) => wanted.includes(one));
}

type Parts = Pick<Compose, 'networks' | 'volumes' | 'configs'>;

/** What no workload uses stays out of the release. */
function used(drafts: readonly Draft[], parts: Parts): Parts {
  const networks = new Set(
    drafts.flatMap(({ networks: own = { default: {} }, networkMode }) =>
      networkMode === undefined ? Object.keys(own) : [],
    ),
  );
  const volumes = new Set(drafts.flatMap(({ mounts = [] }) => mounts.map(({ source }) => source)));
  const configs = new Set(
    drafts.flatMap((draft) => (draft.configs ?? []).map(({ source }) => source)),
  );
  return {
    networks: parts.networks.filter(({ name }) => networks.has(name)),
    volumes: parts.volumes.filter(({ name }) => volumes.has(name)),
    configs: parts.configs.filter(({ name }) => configs.has(name)),
  };
}

function ignored(fields: Fields): string[] {
  return [...fields]
    .filter(([key]) => key === 'version' || (key.startsWith('x-') && key !== 'x-wherry'))
    .map(([key, { file, line }]) => `${file}:${line}: ${key} has no meaning and is ignored`);
}

function gateOf(field: Field | undefined): Gate {
  const gate = field === undefined ? undefined : fieldsOf(field, ['gate']).get('gate');
  if (gate === undefined) return defaultGate;
  const fields = fieldsOf(gate, ['bake', 'deadline']);
  const [bake, deadline] = [fields.get('bake'), fields.get('deadline')];
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
