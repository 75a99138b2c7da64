// SPDX-License-Identifier: Apache-2.0
// Compose `volumes` and `tmpfs` of a service: named volumes, binds of absolute host paths, tmpfs; short and
// long form. Relative paths and unnamed volumes are refused: they mean something only on one machine.

import { workloadName } from '../../protocol/name.js';
import { containerPath, type Mount } from '../../protocol/release.js';
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
import { sizeBytes } from './units.js';

/** `declared`: the names under the top-level `volumes`. */
export function mountsOf(
  volumes: Field | undefined,
  tmpfs: Field | undefined,
  declared: ReadonlySet<string>,
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

function shortMount(field: Field, declared: ReadonlySet<string>): Mount {
  const [source = '', target, mode, ...rest] = textOf(field).split(':');
  if (target === undefined) {
    refuse(field, `NAME:${source}[:ro] or /HOST/PATH:${source}[:ro]: a volume needs a name`);
  }
  if (rest.length > 0 || !(mode === undefined || mode === 'ro' || mode === 'rw')) {
    refuse(field, 'SOURCE:TARGET with ro or rw behind it');
  }
  const isBind = /^[/.~]/.test(source);
  return {
    type: isBind ? 'bind' : 'volume',
    source: isBind ? hostPath(field, source) : volumeName(field, source, declared),
    target: targetOf(field, target),
    ...(mode === 'ro' ? { readOnly: true } : {}),
  };
}

function longMount(field: Field, declared: ReadonlySet<string>): Mount {
  const fields = fieldsOf(field, ['type', 'source', 'target', 'read_only', 'tmpfs']);
  const typeField = need(fields, field, 'type');
  const type = textOf(typeField);
  const targetField = need(fields, field, 'target');
  const target = targetOf(targetField, textOf(targetField));
  const base = { target, ...readOnlyOf(fields) };
  if (type === 'tmpfs') return { type, ...base, ...sizeOf(fields) };
  const options = fields.get('tmpfs');
  if (options !== undefined) throw fault('COMPOSE_KEY', options, 'only with type: tmpfs');
  const source = need(fields, field, 'source');
  if (type === 'bind') return { type, source: hostPath(source, textOf(source)), ...base };
  if (type === 'volume') {
    return { type, source: volumeName(source, textOf(source), declared), ...base };
  }
  return refuse(typeField, 'volume, bind or tmpfs');
}

function readOnlyOf(fields: Fields): { readOnly?: true } {
  const field = fields.get('read_only');
  return field !== undefined && booleanOf(field) ? { readOnly: true } : {};
}

function sizeOf(fields: Fields): { sizeMaxBytes?: number } {
  const options = fields.get('tmpfs');
  const source = fields.get('source');
  if (source !== undefined) throw fault('COMPOSE_KEY', source, 'not with type: tmpfs');
  const size = options === undefined ? undefined : fieldsOf(options, ['size']).get('size');
  return size === undefined ? {} : { sizeMaxBytes: tmpfsBytes(size, textOf(size)) };
}

/** `/run` or `/run:size=64m`. */
function tmpfsMount(field: Field): Mount {
  const [target = '', options, ...rest] = textOf(field).split(':');
  const base: Mount = { type: 'tmpfs', target: targetOf(field, target) };
  if (options === undefined) return base;
  const size = /^size=([^,]+)$/.exec(options)?.[1];
  if (size === undefined || rest.length > 0) {
    refuse(field, 'PATH or PATH:size=64m; other options are not known');
  }
  return { ...base, sizeMaxBytes: tmpfsBytes(field, size) };
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

function volumeName(field: Field, name: string, declared: ReadonlySet<string>): string {
  checked(field, workloadName, name);
  if (!declared.has(name)) {
    throw fault(
      'COMPOSE_REFERENCE',
      field,
      `the volume ${name} is not under the top-level volumes`,
    );
  }
  return name;
}
