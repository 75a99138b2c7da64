// SPDX-License-Identifier: Apache-2.0
// Compose `volumes` and `tmpfs` of a service: named volumes, binds of absolute host paths, tmpfs; short and
// long form. Relative paths and unnamed volumes are refused: they mean something only on one machine.

import { containerPath, type Mount } from '../../protocol/content.js';
import { workloadName } from '../../protocol/name.js';
import { modeOf } from './content.js';
import { fault, refuse } from './fault.js';
import {
  booleanOf,
  checked,
  type Field,
  type Fields,
  fieldsOf,
  isList,
  isMap,
  itemsOf,
  need,
  textOf,
} from './field.js';
import { knownOf, type Reasons } from './refused.js';
import { sizeBytes } from './units.js';

/** `declared`: the keys under the top-level `volumes`, and what each is called on the device. */
export function mountsOf(
  volumes: Field | undefined,
  tmpfs: Field | undefined,
  declared: ReadonlyMap<string, string>,
): Mount[] {
  const mounts = [
    ...(volumes === undefined ? [] : itemsOf(volumes, 64)).map((item) =>
      isMap(item) ? longMount(item, declared) : shortMount(item, declared),
    ),
    ...(tmpfs === undefined ? [] : isList(tmpfs) ? itemsOf(tmpfs, 64) : [tmpfs]).map(tmpfsMount),
  ];
  const targets = new Set<string>();
  for (const { target } of mounts) {
    const place = volumes ?? tmpfs;
    if (targets.has(target) && place !== undefined) {
      refuse(place, `free of repeats: two mounts are at ${target}`);
    }
    targets.add(target);
  }
  return mounts;
}

function shortMount(field: Field, declared: ReadonlyMap<string, string>): Mount {
  const [source = '', target, words, ...rest] = textOf(field).split(':');
  if (target === undefined) {
    refuse(field, `NAME:${source}[:ro] or /HOST/PATH:${source}[:ro]: a volume needs a name`);
  }
  if (rest.length > 0) refuse(field, shortForm);
  const isBind = /^[/.~]/.test(source);
  return {
    type: isBind ? 'bind' : 'volume',
    source: isBind ? hostPath(field, source) : volumeName(field, source, declared),
    target: targetOf(field, target),
    ...Object.assign(
      {},
      ...(words?.split(',') ?? []).map((word) => shortOption(field, word, isBind)),
    ),
  };
}

const shortForm = 'SOURCE:TARGET with ro, rw, nocopy or a propagation behind it';
/** Of SELinux and of Docker's desktop: they mean nothing on a device. */
const idle: readonly string[] = ['rw', 'z', 'Z', 'cached', 'delegated', 'consistent'];
const propagations = ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave'] as const;

function shortOption(field: Field, word: string, isBind: boolean): Partial<Mount> {
  if (word === 'ro') return { readOnly: true };
  if (word === 'nocopy' && !isBind) return { noCopy: true };
  const propagation = isBind ? propagations.find((one) => one === word) : undefined;
  if (propagation !== undefined) return { propagation };
  return idle.includes(word) ? {} : refuse(field, shortForm);
}

const refusedMount: Reasons = {
  consistency: 'it is for desktops',
  image: 'images are not mounted; copy what is needed into the image',
};

function longMount(field: Field, declared: ReadonlyMap<string, string>): Mount {
  const known = ['type', 'source', 'target', 'read_only', 'tmpfs', 'bind', 'volume'];
  const fields = knownOf(field, known, refusedMount);
  const typeField = need(fields, field, 'type');
  const type = textOf(typeField);
  const targetField = need(fields, field, 'target');
  const target = targetOf(targetField, textOf(targetField));
  const base = { target, ...readOnlyOf(fields) };
  for (const key of ['tmpfs', 'bind', 'volume']) {
    const options = fields.get(key);
    if (options !== undefined && key !== type) {
      throw fault('COMPOSE_KEY', options, `only with type: ${key}`);
    }
  }
  if (type === 'tmpfs') return { type, ...base, ...tmpfsOptions(fields) };
  const source = need(fields, field, 'source');
  if (type === 'bind') {
    return { type, source: hostPath(source, textOf(source)), ...base, ...bindOptions(fields) };
  }
  if (type === 'volume') {
    const name = volumeName(source, textOf(source), declared);
    return { type, source: name, ...base, ...volumeOptions(fields) };
  }
  return refuse(typeField, 'volume, bind or tmpfs');
}

function readOnlyOf(fields: Fields): { readOnly?: true } {
  const field = fields.get('read_only');
  return field !== undefined && booleanOf(field) ? { readOnly: true } : {};
}

function bindOptions(fields: Fields): Partial<Mount> {
  const options = fields.get('bind');
  if (options === undefined) return {};
  const reasons = {
    recursive: 'what is mounted below comes with it',
    selinux: 'there are no SELinux labels',
  };
  const found = knownOf(options, ['propagation', 'create_host_path'], reasons);
  const [how, create] = [found.get('propagation'), found.get('create_host_path')];
  const propagation =
    how === undefined ? undefined : propagations.find((one) => one === textOf(how));
  if (how !== undefined && propagation === undefined) refuse(how, propagations.join(', '));
  return {
    ...(propagation === undefined ? {} : { propagation }),
    ...(create !== undefined && booleanOf(create) ? { createHostPath: true } : {}),
  };
}

function volumeOptions(fields: Fields): Partial<Mount> {
  const options = fields.get('volume');
  if (options === undefined) return {};
  const reasons = {
    subpath: 'mount the volume and name the folder below it',
    labels: 'nothing reads them',
  };
  const copy = knownOf(options, ['nocopy'], reasons).get('nocopy');
  return copy !== undefined && booleanOf(copy) ? { noCopy: true } : {};
}

function tmpfsOptions(fields: Fields): Partial<Mount> {
  const options = fields.get('tmpfs');
  const source = fields.get('source');
  if (source !== undefined) throw fault('COMPOSE_KEY', source, 'not with type: tmpfs');
  const found = options === undefined ? undefined : fieldsOf(options, ['size', 'mode']);
  const [size, mode] = [found?.get('size'), found?.get('mode')];
  return {
    ...(size === undefined ? {} : { sizeMaxBytes: tmpfsBytes(size, textOf(size)) }),
    ...(mode === undefined ? {} : { mode: modeOf(mode) }),
  };
}

/** `/run` or `/run:size=64m,mode=755,uid=1000`. */
function tmpfsMount(field: Field): Mount {
  const [target = '', options, ...rest] = textOf(field).split(':');
  const base: Mount = { type: 'tmpfs', target: targetOf(field, target) };
  if (options === undefined) return base;
  if (rest.length > 0) refuse(field, tmpfsForm);
  return Object.assign(base, ...options.split(',').map((option) => tmpfsOption(field, option)));
}

const tmpfsForm = 'PATH or PATH:size=64m,mode=755,uid=0,gid=0,ro; other options are not known';

function tmpfsOption(field: Field, option: string): Partial<Mount> {
  const [name = '', value = ''] = option.split('=');
  if (name === 'size') return { sizeMaxBytes: tmpfsBytes(field, value) };
  if (name === 'mode' && /^[0-7]{3,4}$/.test(value)) return { mode: Number.parseInt(value, 8) };
  if ((name === 'uid' || name === 'gid') && /^\d{1,9}$/.test(value))
    return { [name]: Number(value) };
  if (option === 'ro') return { readOnly: true };
  // What every tmpfs of ours has, or what `rw` says by itself.
  return /^(rw|noexec|nosuid|nodev)$/.test(option) ? {} : refuse(field, tmpfsForm);
}

function tmpfsBytes(field: Field, text: string): number {
  const bytes = sizeBytes(text);
  return bytes === undefined || bytes < 4096 ? refuse(field, 'a size like 64m, 4k or more') : bytes;
}

function targetOf(field: Field, text: string): string {
  return checked(field, containerPath, text);
}

function hostPath(field: Field, text: string): string {
  if (!text.startsWith('/')) {
    refuse(field, `an absolute path of the device, not ${text}: there is no folder to start from`);
  }
  return checked(field, containerPath, text);
}

function volumeName(field: Field, key: string, declared: ReadonlyMap<string, string>): string {
  checked(field, workloadName, key);
  const name = declared.get(key);
  if (name !== undefined) return name;
  throw fault('COMPOSE_REFERENCE', field, `the volume ${key} is not under the top-level volumes`);
}
