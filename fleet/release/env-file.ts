// SPDX-License-Identifier: Apache-2.0
// Environment files as Compose reads them: KEY=VALUE lines, # comments, `export`, '…' as it is, "…" with \n \t \\
// \" and \$, and variables of the lines above in what is not in single quotes. Pure.

import { InterpolationError, interpolate, type Lookup, type Part } from './interpolate.js';

/** What is wrong with a file, and where. */
export class EnvFileError extends Error {
  override readonly name = 'EnvFileError';
  readonly line: number;

  constructor(message: string, line: number) {
    super(message);
    this.line = line;
  }
}

export const envFileBytesMax = 64 * 1024;
const countMax = 256;
/** Blank, comment, or KEY with what follows; a quoted value may run over lines. */
const entry =
  /[^\S\n]*(?:#[^\n]*|(?:export[^\S\n]+)?([A-Za-z_][\w.-]*)[^\S\n]*(?:([=:])[^\S\n]*(?:'([^']*)'|"((?:[^"\\]|\\[\s\S])*)"|([^\n]*)))?)?[^\S\n]*(?:#[^\n]*)?(?:\n|$)/y;

export interface EnvEntry {
  readonly key: string;
  /** undefined: a name alone, which takes the value it has outside. */
  readonly value: readonly Part[] | undefined;
}

/** @param raw nothing is quoted and nothing replaced. @throws EnvFileError */
export function parseEnvFile(text: string, lookup: Lookup, raw = false): EnvEntry[] {
  const entries: EnvEntry[] = [];
  const known = new Map<string, string>();
  const inside: Lookup = (name) => known.get(name) ?? lookup(name);
  for (const { found, line } of rowsOf(text)) {
    for (const { key, value } of entriesOf(found, inside, raw, line)) {
      entries.push({ key, value });
      if (value !== undefined && isPlain(value)) known.set(key, value.join(''));
    }
    if (entries.length > countMax) throw new EnvFileError(`more than ${countMax} variables`, line);
  }
  return entries;
}

interface Row {
  readonly found: RegExpExecArray;
  readonly line: number;
}

function* rowsOf(text: string): Generator<Row> {
  if (text.length > envFileBytesMax) {
    throw new EnvFileError(`longer than ${envFileBytesMax} bytes`, 1);
  }
  const source = text.replace(/^\uFEFF/, '').replaceAll('\r\n', '\n');
  let line = 1;
  for (let at = 0; at < source.length; ) {
    entry.lastIndex = at;
    const found = entry.exec(source);
    const whole = found?.[0] ?? '';
    if (found === null || whole === '') throw new EnvFileError('not of the form KEY=VALUE', line);
    yield { found, line };
    at += whole.length;
    line += whole.split('\n').length - 1;
  }
}

function isPlain(value: readonly Part[]): boolean {
  return value.every((part) => typeof part === 'string');
}

/** None for a blank line or a comment. */
function entriesOf(found: RegExpExecArray, lookup: Lookup, raw: boolean, line: number): EnvEntry[] {
  const key = found[1];
  return key === undefined ? [] : [{ key, value: valueIn(found, lookup, raw, line) }];
}

function valueIn(
  [, , sign, single, double, plain = '']: RegExpExecArray,
  lookup: Lookup,
  raw: boolean,
  line: number,
): readonly Part[] | undefined {
  if (sign === undefined) return undefined;
  if (raw) return [rawOf(single, double, plain)];
  if (single !== undefined) return [single];
  try {
    const text =
      double === undefined ? plain.replace(/(^|\s)#.*$/, '').trimEnd() : unescaped(double);
    return interpolate(text, lookup);
  } catch (error) {
    if (error instanceof InterpolationError) throw new EnvFileError(error.message, line);
    throw error;
  }
}

/** Quotes belong to a raw value. */
function rawOf(single: string | undefined, double: string | undefined, plain: string): string {
  if (single !== undefined) return `'${single}'`;
  return double === undefined ? plain.trimEnd() : `"${double}"`;
}

const escapes: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  $: '$$',
  '"': '"',
  '\\': '\\',
};

function unescaped(text: string): string {
  return text.replaceAll(/\\(.)/gs, (whole, letter: string) => escapes[letter] ?? whole);
}
