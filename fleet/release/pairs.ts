// SPDX-License-Identifier: Apache-2.0
// Keys with values, as a map or as a list of KEY=VALUE: environment (with env_file below it), labels, sysctls.
// Values that need a device's variable come out apart.

import { string } from '../../protocol/check.js';
import { labelKey } from '../../protocol/name.js';
import type { Workload } from '../../protocol/release.js';
import type { Template } from '../../protocol/variable.js';
import type { Context } from './context.js';
import { EnvFileError, parseEnvFile } from './env-file.js';
import { fault, refuse } from './fault.js';
import {
  booleanOf,
  checked,
  entriesOf,
  type Field,
  fieldsOf,
  isList,
  isMap,
  isNull,
  itemsOf,
  joined,
  need,
  templateOf,
  textOf,
} from './field.js';

type Value = string | Template;
/** undefined: a key alone. */
type Pair = readonly [key: string, value: Value | undefined, place: Field];

const variable = string({ pattern: /^[^=\0]{1,256}$/, form: 'a variable name' });

export function pairsOf(field: Field): Pair[] {
  if (!isList(field)) {
    return [...entriesOf(field)].map(([key, at]) => [
      key,
      isNull(at) ? undefined : templateOf(at),
      at,
    ]);
  }
  const pairs = itemsOf(field).map(pairOf);
  const repeated = pairs.find(([key], at) => pairs.findIndex(([other]) => other === key) !== at);
  if (repeated !== undefined) refuse(field, `free of repeats: ${repeated[0]} is there twice`);
  return pairs;
}

function pairOf(item: Field): Pair {
  const { node } = item;
  if (node.kind !== 'scalar' || node.value === null) refuse(item, 'KEY=VALUE');
  const at = node.text.indexOf('=');
  if (at === 0) refuse(item, 'KEY=VALUE');
  if (at < 0) return [textOf(item, 'KEY=VALUE'), undefined, item];
  const value = { ...item, node: { ...node, text: node.text.slice(at + 1) } };
  return [node.text.slice(0, at), templateOf(value), item];
}

/** Plain text only. @throws COMPOSE_VARIABLE */
export function textPairsOf(field: Field): Array<readonly [string, string, Field]> {
  return pairsOf(field).map(([key, value = '', place]) => {
    if (typeof value === 'string') return [key, value, place];
    throw fault('COMPOSE_VARIABLE', place, "a device's variable is not possible here");
  });
}

type Split<K extends 'environment' | 'labels'> = Pick<Workload, K | `${K}From`>;

function split<K extends 'environment' | 'labels'>(
  name: K,
  all: ReadonlyMap<string, Value>,
): Split<K> {
  const texts = [...all].filter(([, value]) => typeof value === 'string');
  const templates = [...all].filter(([, value]) => typeof value !== 'string');
  return {
    ...(texts.length === 0 ? {} : { [name]: Object.fromEntries(texts) }),
    ...(templates.length === 0 ? {} : { [`${name}From`]: Object.fromEntries(templates) }),
  } as Split<K>;
}

/** What is under environment wins over the files, a later file over an earlier one. */
export function environmentOf(
  field: Field | undefined,
  files: Field | undefined,
  context: Context,
): Split<'environment'> {
  const all = new Map<string, Value>();
  for (const file of files === undefined ? [] : isList(files) ? itemsOf(files, 16) : [files]) {
    readFile(file, all, context);
  }
  for (const [key, value, place] of field === undefined ? [] : pairsOf(field)) {
    checked(place, variable, key);
    all.set(key, value ?? context.lookup(key) ?? bare(place, key));
  }
  return split('environment', all);
}

function bare(place: Field, key: string): never {
  return refuse(
    place,
    `given a value: ${key}=… or --var ${key}=…; a device has no shell to take ${key} from`,
  );
}

interface EnvFile {
  readonly place: Field;
  readonly raw: boolean;
  readonly isOptional: boolean;
}

function fileOf(field: Field): EnvFile {
  if (!isMap(field)) return { place: field, raw: false, isOptional: false };
  const fields = fieldsOf(field, ['path', 'required', 'format']);
  const [required, format] = [fields.get('required'), fields.get('format')];
  if (format !== undefined && textOf(format) !== 'raw') refuse(format, 'raw, or left out');
  const isOptional = required !== undefined && !booleanOf(required);
  return { place: need(fields, field, 'path'), raw: format !== undefined, isOptional };
}

function readFile(field: Field, all: Map<string, Value>, context: Context): void {
  const { place, raw, isOptional } = fileOf(field);
  const path = textOf(place, 'a file');
  const text = context.read(place, path, isOptional);
  if (text === undefined) return;
  try {
    for (const { key, value } of parseEnvFile(text, context.lookup, raw)) {
      const found = value === undefined ? context.lookup(key) : joined(value);
      if (found !== undefined) all.set(key, found);
    }
  } catch (error) {
    if (!(error instanceof EnvFileError)) throw error;
    throw fault('COMPOSE_FILE', place, `${path}:${error.line}: ${error.message}`);
  }
}

export function labelsOf(field: Field | undefined): Split<'labels'> {
  if (field === undefined) return {};
  const pairs = pairsOf(field);
  for (const [key] of pairs) checked(field, labelKey, key);
  return split('labels', new Map(pairs.map(([key, value]) => [key, value ?? ''])));
}
