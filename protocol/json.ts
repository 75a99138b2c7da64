// SPDX-License-Identifier: Apache-2.0
// Reads JSON that somebody else wrote. Bounded in size, depth and number of values; a duplicate key, a
// `__proto__` key, a lone surrogate or a NUL is refused, since two readers could understand such a document
// differently. The time is linear in the length, whatever the text. It gives `unknown`: check.ts turns that
// into a type.

import { CodedError } from './error.js';
import { oneLine, quoted } from './text.js';

export const jsonBytesMax = 256 * 1024;
export const jsonDepthMax = 32;
/** A value costs up to a hundred bytes of heap where it costs two of text. */
export const jsonValuesMax = 100_000;

export interface JsonBounds {
  readonly bytesMax?: number;
  readonly depthMax?: number;
  /** Of objects, lists, strings, numbers and words together. */
  readonly valuesMax?: number;
}

/** @throws JSON_BAD. `where` names the document in the message. */
export function parseJson(text: string, where: string, bounds: JsonBounds = {}): unknown {
  const bytesMax = bounds.bytesMax ?? jsonBytesMax;
  if (text.length > bytesMax) {
    throw bad(where, `is longer than ${bytesMax} bytes`);
  }
  scan(text, where, bounds.depthMax ?? jsonDepthMax, bounds.valuesMax ?? jsonValuesMax);
  return parse(text, where);
}

function parse(text: string, where: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    const what = oneLine((error as Error).message); // it repeats a part of the text
    throw new CodedError('JSON_BAD', `${where}: ${what}`, {}, { cause: error });
  }
}

function bad(where: string, what: string): CodedError {
  return new CodedError('JSON_BAD', `${where}: ${what}`);
}

/**
 * One pass before JSON.parse: depth, values, duplicate keys, forbidden text. It leans on JSON.parse for
 * syntax, so it may be lenient about a document that JSON.parse then refuses.
 */
function scan(text: string, where: string, depthMax: number, valuesMax: number): void {
  const open: Array<Set<string>> = [];
  let values = 1; // each comma and each opening bracket may bring one more
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at] ?? '';
    if (char === '"') at = passString(text, at, open.at(-1), where);
    else if (',{['.includes(char)) values += 1;
    if (values > valuesMax) throw bad(where, `has more than ${valuesMax} values`);
    nest(open, char);
    if (open.length > depthMax) throw bad(where, `is nested deeper than ${depthMax}`);
  }
}

function nest(open: Array<Set<string>>, char: string): void {
  if (char === '{' || char === '[') open.push(new Set());
  else if (char === '}' || char === ']') open.pop();
}

/** Checks the string that begins at `from`; the index of its last character. */
function passString(
  text: string,
  from: number,
  keys: Set<string> | undefined,
  where: string,
): number {
  const end = stringEnd(text, from);
  const value = decode(text.slice(from, end), where);
  if (isKey(text, end)) addKey(keys, value, where);
  return end - 1;
}

/** Behind the string that begins at `from`; the text's end where nothing closes it. */
function stringEnd(text: string, from: number): number {
  let at = from + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return Math.min(at + 1, text.length);
}

function decode(token: string, where: string): string {
  const value = parse(token, where) as string;
  if (value.includes('\0')) throw bad(where, 'has a NUL in a string');
  if (/\p{Surrogate}/u.test(value)) throw bad(where, 'has a lone surrogate in a string');
  return value;
}

function isKey(text: string, from: number): boolean {
  let at = from;
  while (' \t\r\n'.includes(text[at] ?? 'x')) at += 1;
  return text[at] === ':';
}

function addKey(keys: Set<string> | undefined, key: string, where: string): void {
  if (key === '__proto__') throw bad(where, 'has a key named __proto__');
  if (keys === undefined) return;
  if (keys.has(key)) throw bad(where, `has the key "${quoted(key)}" twice`);
  keys.add(key);
}
