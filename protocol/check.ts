// SPDX-License-Identifier: Apache-2.0
// Turns `unknown` into a type, field by field, or says which field is wrong and what is allowed there.
// A check is a function (value, path) → value. Objects refuse fields they do not know, unless they are
// `open`: a field that one side means and the other ignores is how limits get lost.

import { CodedError } from './error.js';
import { quoted } from './text.js';

export type Check<T> = (value: unknown, path: string) => T;
export type Checked<C> = C extends Check<infer T> ? T : never;

/** @throws SHAPE_BAD with the path of the field. */
export function refuse(path: string, allowed: string): never {
  throw new CodedError('SHAPE_BAD', `${path}: must be ${allowed}`, { path });
}

export function string(
  rule: { pattern?: RegExp; lengthMax?: number; form?: string } = {},
): Check<string> {
  const lengthMax = rule.lengthMax ?? 4096;
  return (value, path) => {
    if (typeof value !== 'string') refuse(path, rule.form ?? 'a string');
    if (value.length > lengthMax) refuse(path, `at most ${lengthMax} characters`);
    if (rule.pattern !== undefined && !rule.pattern.test(value)) {
      refuse(path, rule.form ?? `like ${rule.pattern.source}`);
    }
    return value;
  };
}

export function integer(min: number, max: number): Check<number> {
  return (value, path) => {
    if (!Number.isSafeInteger(value) || (value as number) < min || (value as number) > max) {
      refuse(path, `a whole number from ${min} to ${max}`);
    }
    return value as number;
  };
}

export const boolean: Check<boolean> = (value, path) =>
  typeof value === 'boolean' ? value : refuse(path, 'true or false');

/** An instant: RFC 3339, UTC. */
export const instant: Check<string> = string({
  pattern: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/,
  lengthMax: 30,
  form: 'a time like 2026-01-31T12:00:00Z',
});

export function oneOf<const T extends string>(...words: readonly T[]): Check<T> {
  return (value, path) => {
    const found = words.find((word) => word === value);
    return found ?? refuse(path, words.map((word) => `"${word}"`).join(' or '));
  };
}

export function array<T>(each: Check<T>, countMax: number): Check<T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) refuse(path, 'a list');
    if (value.length > countMax) refuse(path, `a list of at most ${countMax}`);
    return value.map((item: unknown, index) => each(item, `${path}[${index}]`));
  };
}

export function record<T>(
  key: Check<string>,
  each: Check<T>,
  countMax: number,
): Check<Record<string, T>> {
  return (value, path) => {
    const entries = Object.entries(plain(value, path));
    if (entries.length > countMax) refuse(path, `an object of at most ${countMax} fields`);
    return Object.fromEntries(
      entries.map(([name, item]) => {
        const at = `${path}.${quoted(name)}`; // the sender's word
        return [key(name, at), each(item, at)];
      }),
    );
  };
}

export function nullable<T>(check: Check<T>): Check<T | null> {
  return (value, path) => (value === null ? null : check(value, path));
}

/** A field of an object that may be absent. */
export interface Optional<T> {
  readonly optional: Check<T>;
}

export function optional<T>(check: Check<T>): Optional<T> {
  return { optional: check };
}

type Fields = Readonly<Record<string, Check<unknown> | Optional<unknown>>>;
type Required<F> = { [K in keyof F as F[K] extends Optional<unknown> ? never : K]: FieldOf<F[K]> };
type Absent<F> = { [K in keyof F as F[K] extends Optional<unknown> ? K : never]?: FieldOf<F[K]> };
type FieldOf<F> = F extends Optional<infer T> ? T : F extends Check<infer T> ? T : never;
type Flat<T> = { [K in keyof T]: T[K] };
export type ObjectOf<F extends Fields> = Flat<Required<F> & Absent<F>>;

/** `open` objects drop fields they do not know (documents of outside standards); the others refuse them. */
export function object<F extends Fields>(
  fields: F,
  rule: { open?: boolean } = {},
): Check<ObjectOf<F>> {
  return (value, path) => {
    const source = plain(value, path);
    if (rule.open !== true) refuseUnknown(source, fields, path);
    const entries = Object.entries(fields).map(([name, field]) => {
      const item = Object.hasOwn(source, name) ? source[name] : undefined;
      return [name, checkField(field, item, `${path}.${name}`)] as const;
    });
    return Object.fromEntries(entries.filter(([, item]) => item !== undefined)) as ObjectOf<F>;
  };
}

function checkField(
  field: Check<unknown> | Optional<unknown>,
  item: unknown,
  path: string,
): unknown {
  if (typeof field === 'function') return field(item, path);
  return item === undefined ? undefined : field.optional(item, path);
}

function refuseUnknown(source: object, fields: Fields, path: string): void {
  const unknown = Object.keys(source).find((name) => !Object.hasOwn(fields, name));
  if (unknown === undefined) return;
  refuse(`${path}.${quoted(unknown)}`, `absent; known are ${Object.keys(fields).join(', ')}`);
}

function plain(value: unknown, path: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    refuse(path, 'an object');
  return value as Record<string, unknown>;
}
