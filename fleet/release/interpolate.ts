// SPDX-License-Identifier: Apache-2.0
// Compose's variables in a text: $NAME, ${NAME}, :- - :? ? :+ + with nesting, and $$ for a dollar. A name that
// begins with WHERRY_ is one of the device's: it stays a reference, which the device completes. Pure.

import type { Reference } from '../../protocol/variable.js';

export type Part = string | Reference;
/** The release's variables. */
export type Lookup = (name: string) => string | undefined;

const depthMax = 8;
const devicePrefix = 'WHERRY_';
/** What every device has; others are WHERRY_VAR_NAME, where NAME is as `wherry-fleet device set` has it. */
const builtIn: readonly string[] = ['WHERRY_DEVICE', 'WHERRY_TENANT', 'WHERRY_APP'];
const setPrefix = 'WHERRY_VAR_';

/** What is wrong with a text; the caller names the place. */
export class InterpolationError extends Error {
  override readonly name = 'InterpolationError';
}

interface Scan {
  readonly text: string;
  readonly lookup: Lookup;
  at: number;
}

/** Plain text is one string; nothing is the empty list. @throws InterpolationError */
export function interpolate(text: string, lookup: Lookup): Part[] {
  if (!text.includes('$')) return text === '' ? [] : [text];
  const scan: Scan = { text, lookup, at: 0 };
  return partsOf(scan, 0, true);
}

/** Up to the end, or to the brace that closes what is nested. `live`: the value is wanted. */
function partsOf(scan: Scan, depth: number, live: boolean): Part[] {
  if (depth > depthMax) throw new InterpolationError(`nested deeper than ${depthMax}`);
  const parts: Part[] = [];
  while (scan.at < scan.text.length) {
    const letter = scan.text[scan.at];
    if (depth > 0 && letter === '}') return parts;
    const found = letter === '$' ? dollar(scan, depth, live) : plain(scan, depth);
    for (const part of found) add(parts, part);
  }
  if (depth > 0) throw new InterpolationError('a variable is not closed with }');
  return parts;
}

function add(parts: Part[], part: Part): void {
  const last = parts.at(-1);
  if (typeof part !== 'string' || typeof last !== 'string') parts.push(part);
  else parts[parts.length - 1] = last + part;
}

function plain(scan: Scan, depth: number): Part[] {
  const found = match(scan, depth > 0 ? /[^$}]+/y : /[^$]+/y);
  return [found ?? ''];
}

function match(scan: Scan, pattern: RegExp): string | undefined {
  pattern.lastIndex = scan.at;
  const found = pattern.exec(scan.text)?.[0];
  if (found !== undefined) scan.at += found.length;
  return found;
}

function dollar(scan: Scan, depth: number, live: boolean): Part[] {
  scan.at += 1;
  if (match(scan, /\$/y) !== undefined) return ['$'];
  const bare = match(scan, /[A-Za-z_]\w*/y);
  if (bare !== undefined) return partOf(scan, bare, '', [], live);
  const name = match(scan, /\{/y) === undefined ? undefined : match(scan, /[A-Za-z_]\w*/y);
  const operator = name === undefined ? undefined : (match(scan, /:?[-?+]/y) ?? '');
  if (name === undefined || operator === undefined) {
    throw new InterpolationError(
      'a $ begins a variable: $NAME, or NAME in braces; a dollar sign is $$',
    );
  }
  const isWanted = live && operator !== '' && wantsWord(scan.lookup(name), name, operator);
  const word = operator === '' ? [] : partsOf(scan, depth + 1, isWanted);
  if (match(scan, /\}/y) === undefined) {
    throw new InterpolationError(`\${${name} has neither } nor one of :- - :? ? :+ + behind it`);
  }
  return partOf(scan, name, operator, word, live);
}

function isSet(value: string | undefined, operator: string): boolean {
  return value !== undefined && !(operator.startsWith(':') && value === '');
}

function wantsWord(value: string | undefined, name: string, operator: string): boolean {
  if (name.startsWith(devicePrefix)) return true;
  return isSet(value, operator) === operator.endsWith('+');
}

function partOf(scan: Scan, name: string, operator: string, word: Part[], live: boolean): Part[] {
  if (name.startsWith(devicePrefix)) return [referenceOf(name, operator, word)];
  const value = scan.lookup(name);
  const has = isSet(value, operator);
  if (operator.endsWith('+')) return has ? word : [];
  if (has) return [value ?? ''];
  if (operator.endsWith('-')) return word;
  if (!live) return [];
  const why = operator === '' ? `write \${${name}:-} where it may be empty` : textIn(word);
  throw new InterpolationError(`the variable ${name} has no value: ${why}`);
}

function textIn(parts: readonly Part[]): string {
  return parts.map((part) => (typeof part === 'string' ? part : `\${${part.variable}}`)).join('');
}

function referenceOf(name: string, operator: string, word: readonly Part[]): Reference {
  const variable = name.startsWith(setPrefix) ? name.slice(setPrefix.length) : name;
  if (variable === '' || (variable === name && !builtIn.includes(name))) {
    throw new InterpolationError(
      `${name} is no variable of a device: those are ${builtIn.join(', ')} and ${setPrefix}NAME`,
    );
  }
  if (operator.endsWith('+')) throw new InterpolationError(`${name} takes :- and :?, not :+`);
  const orEmpty = operator.startsWith(':') ? { orEmpty: true as const } : {};
  if (!operator.endsWith('-')) return { variable, ...orEmpty };
  const [text = '', ...more] = word;
  if (typeof text !== 'string' || more.length > 0) {
    throw new InterpolationError(`the default of ${name} must not need a device's variable itself`);
  }
  return { variable, default: text, ...orEmpty };
}
