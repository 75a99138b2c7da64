// SPDX-License-Identifier: Apache-2.0
// Reads typed values out of a tree. Every reader knows the place and refuses what it does not know. Variables of
// the release are completed here; those of a device are only let through where a release can hold them.

import type { Check } from '../../protocol/check.js';
import { CodedError } from '../../protocol/error.js';
import type { Template } from '../../protocol/variable.js';
import { fault, type Place, refuse } from './fault.js';
import { InterpolationError, interpolate, type Part } from './interpolate.js';
import type { Entry, Node, ScalarNode } from './tree.js';

/** A node and where it is. */
export interface Field extends Place {
  readonly node: Node;
}

export type Fields = ReadonlyMap<string, Field>;

/** A map all of whose keys are known. @throws COMPOSE_KEY, COMPOSE_VALUE */
export function fieldsOf(field: Field, known: readonly string[]): Fields {
  const fields = entriesOf(field);
  for (const [key, child] of fields) {
    if (!known.includes(key)) {
      throw fault('COMPOSE_KEY', child, `unknown key; allowed here are ${known.join(', ')}`);
    }
  }
  return fields;
}

/** A map with keys of the file's own choice. @throws COMPOSE_VALUE */
export function entriesOf(field: Field): Fields {
  const { node } = field;
  if (node.kind !== 'map') refuse(field, 'a map of keys and values');
  return new Map(node.entries.map((entry) => [entry.key, child(field, entry)]));
}

function child(parent: Field, entry: Entry): Field {
  const key = parent.key === '' ? entry.key : `${parent.key}.${entry.key}`;
  return { file: entry.file, line: entry.line, key, node: entry.value };
}

export function itemsOf(field: Field, countMax = 256): Field[] {
  const { node } = field;
  if (node.kind !== 'list') refuse(field, 'a list');
  if (node.items.length > countMax) refuse(field, `a list of at most ${countMax}`);
  return node.items.map((item, at) => ({
    file: item.file,
    line: item.line,
    key: `${field.key}[${at}]`,
    node: item,
  }));
}

/** @throws COMPOSE_KEY if it is not there */
export function need(fields: Fields, parent: Place, key: string): Field {
  const found = fields.get(key);
  if (found === undefined) throw fault('COMPOSE_KEY', parent, `misses the key ${key}`);
  return found;
}

export function isNull(field: Field): boolean {
  return field.node.kind === 'scalar' && field.node.value === null;
}

export function isList(field: Field): boolean {
  return field.node.kind === 'list';
}

export function isMap(field: Field): boolean {
  return field.node.kind === 'map';
}

/** A string, or a number as it was written. `form` completes "must be …". */
export function textOf(field: Field, form = 'a string'): string {
  const { node } = field;
  if (node.kind !== 'scalar' || node.value === null || typeof node.value === 'boolean') {
    refuse(field, form);
  }
  return onlyText(field, completed(field, node));
}

/** As textOf, and booleans as they were written: label values and the like. */
export function plainOf(field: Field): string {
  return onlyText(field, plainPartsOf(field));
}

/** As plainOf, with the device's variables in it: a string where there are none. */
export function templateOf(field: Field): string | Template {
  return joined(plainPartsOf(field));
}

export function joined(parts: readonly Part[]): string | Template {
  if (parts.every((part) => typeof part === 'string')) return parts.join('');
  return [...parts];
}

function plainPartsOf(field: Field): Part[] {
  const { node } = field;
  if (node.kind !== 'scalar' || node.value === null)
    refuse(field, 'a string, a number or a boolean');
  return completed(field, node);
}

function completed(field: Field, node: ScalarNode): Part[] {
  if (node.text.includes('\0')) refuse(field, 'without a NUL');
  try {
    return interpolate(node.text, node.lookup);
  } catch (error) {
    if (!(error instanceof InterpolationError)) throw error;
    throw fault('COMPOSE_VARIABLE', field, error.message);
  }
}

function onlyText(field: Field, parts: readonly Part[]): string {
  const found = joined(parts);
  if (typeof found === 'string') return found;
  throw fault(
    'COMPOSE_VARIABLE',
    field,
    "a device's variable is possible in environment, labels and hostname only",
  );
}

export function wholeOf(field: Field, min: number, max: number): number {
  const text = textOf(field, `a whole number from ${min} to ${max}`);
  const value = Number(text);
  if (!/^-?\d+$/.test(text) || value < min || value > max) {
    refuse(field, `a whole number from ${min} to ${max}`);
  }
  return value;
}

/** A variable may stand for it. */
export function booleanOf(field: Field): boolean {
  const { node } = field;
  if (node.kind === 'scalar' && typeof node.value === 'boolean') return node.value;
  const isVariable = node.kind === 'scalar' && node.text.includes('$');
  const text = isVariable ? textOf(field, 'true or false') : '';
  return text === 'true' || (text === 'false' ? false : refuse(field, 'true or false'));
}

/** A list of strings, or one string as a list of one. */
export function textsOf(field: Field): string[] {
  return isList(field) ? itemsOf(field).map((item) => textOf(item)) : [textOf(field)];
}

/** Applies one of protocol's checks and puts the place before what it says. @throws COMPOSE_VALUE */
export function checked<T>(place: Place, check: Check<T>, value: unknown): T {
  try {
    return check(value, 'value');
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    const what = error.message.replace(/^value[^:]*: /, '');
    throw fault('COMPOSE_VALUE', place, what);
  }
}
