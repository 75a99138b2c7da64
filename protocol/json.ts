// SPDX-License-Identifier: Apache-2.0
// Reads JSON that somebody else wrote. Bounded in size and depth; a duplicate key, a `__proto__` key, a
// lone surrogate or a NUL is refused, since two readers could understand such a document differently.
// It gives `unknown`: check.ts turns that into a type.

import { CodedError } from './error.js';

export const jsonBytesMax = 256 * 1024;
export const jsonDepthMax = 32;

/** @throws JSON_BAD. `where` names the document in the message. */
export function parseJson(
  text: string,
  where: string,
  bounds: { bytesMax?: number; depthMax?: number } = {},
): unknown {
  const bytesMax = bounds.bytesMax ?? jsonBytesMax;
  if (text.length > bytesMax) {
    throw bad(where, `is longer than ${bytesMax} bytes`);
  }
  scan(text, where, bounds.depthMax ?? jsonDepthMax);
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new CodedError('JSON_BAD', `${where}: ${(error as Error).message}`, {}, { cause: error });
  }
}

function bad(where: string, what: string): CodedError {
  return new CodedError('JSON_BAD', `${where}: ${what}`);
}

const tokens = /"(?:[^"\\]|\\.)*"|[{}[\]]/gs;

/**
 * One pass before JSON.parse: depth, duplicate keys, forbidden text. It leans on JSON.parse for syntax, so
 * it may be lenient about a document that JSON.parse then refuses.
 */
function scan(text: string, where: string, depthMax: number): void {
  const open: Array<Set<string>> = [];
  for (const match of text.matchAll(tokens)) {
    const token = match[0];
    if (token.startsWith('"')) {
      const value = decode(token, where);
      if (isKey(text, match.index + token.length)) addKey(open.at(-1), value, where);
    } else if (token === '{' || token === '[') {
      open.push(new Set());
    } else {
      open.pop();
    }
    if (open.length > depthMax) throw bad(where, `is nested deeper than ${depthMax}`);
  }
}

function decode(token: string, where: string): string {
  let value: string;
  try {
    value = JSON.parse(token) as string;
  } catch (error) {
    throw new CodedError('JSON_BAD', `${where}: ${(error as Error).message}`, {}, { cause: error });
  }
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
  if (keys.has(key)) throw bad(where, `has the key ${JSON.stringify(key)} twice`);
  keys.add(key);
}
