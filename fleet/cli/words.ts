// SPDX-License-Identifier: Apache-2.0
// Words of the command line that more than one command takes: root, labels, durations.

import type { Option, Parsed } from '../../adapters/command.js';
import type { Labels } from '../../protocol/api.js';
import { CodedError } from '../../protocol/error.js';
import { durationMs } from '../release/units.js';

export const programOptions: Readonly<Record<string, Option>> = {
  root: { type: 'string', value: 'DIR', default: '/', about: 'Where everything of the fleet lies' },
  json: { type: 'boolean', about: 'Print JSON' },
};

export function rootOf(parsed: Parsed): string {
  return parsed.text('root') ?? '/';
}

/** @throws USAGE */
export function durationOf(parsed: Parsed, name: string): number | undefined {
  const text = parsed.text(name);
  if (text === undefined) return undefined;
  const ms = durationMs(text);
  if (ms !== undefined) return ms;
  throw new CodedError('USAGE', `--${name} takes a duration like 30s or 1h, not '${text}'`);
}

/** `k=v` pairs. @throws USAGE */
export function labelsOf(pairs: readonly string[], name: string): Labels {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      if (at > 0) return [pair.slice(0, at), pair.slice(at + 1)];
      throw new CodedError('USAGE', `--${name} takes KEY=VALUE, not '${pair}'`);
    }),
  );
}

export function labelsText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  return pairs.join(',') || '-';
}

/** `sha256:` and the first 12 digits' worth: enough for people. */
export function shortDigest(digest: string | null): string {
  return digest === null ? '-' : digest.replace('sha256:', '').slice(0, 12);
}
