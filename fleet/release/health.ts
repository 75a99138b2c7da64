// SPDX-License-Identifier: Apache-2.0
// Compose `healthcheck`: test as a string, CMD, CMD-SHELL or NONE, with durations. What is not given is the
// image's, and the device fills in what neither says. A disabled check is an empty test: not even the image's own
// is run.

import type { Healthcheck } from '../../protocol/release.js';
import { refuse } from './fault.js';
import {
  booleanOf,
  type Field,
  type Fields,
  fieldsOf,
  isList,
  textOf,
  textsOf,
  wholeOf,
} from './field.js';
import { durationMs } from './units.js';

const known = [
  'test',
  'interval',
  'timeout',
  'retries',
  'start_period',
  'start_interval',
  'disable',
] as const;
const dayMs = 86_400_000;

export function healthcheckOf(field: Field): Healthcheck {
  const fields = fieldsOf(field, known);
  const disable = fields.get('disable');
  const isOff = disable !== undefined && booleanOf(disable);
  const test = fields.get('test');
  const retries = fields.get('retries');
  return {
    ...(isOff ? { test: [] } : test === undefined ? {} : { test: testOf(test) }),
    ...periodOf(fields, 'interval', 'intervalMs', 100),
    ...periodOf(fields, 'timeout', 'timeoutMs', 100),
    ...(retries === undefined ? {} : { retryCountMax: wholeOf(retries, 1, 1000) }),
    ...periodOf(fields, 'start_period', 'startPeriodMs', 0),
    ...periodOf(fields, 'start_interval', 'startIntervalMs', 100),
  };
}

function testOf(field: Field): string[] {
  if (!isList(field)) return shell(field, textOf(field));
  const [kind, ...words] = textsOf(field);
  if (kind === 'NONE' && words.length === 0) return [];
  if (kind === 'CMD' && words.length > 0) return words;
  if (kind === 'CMD-SHELL' && words.length === 1) return shell(field, words[0] ?? '');
  return refuse(field, 'a string, [CMD, PROGRAM, ...], [CMD-SHELL, STRING] or [NONE]');
}

function shell(field: Field, text: string): string[] {
  return text.trim() === '' ? refuse(field, 'a command, not empty') : ['/bin/sh', '-c', text];
}

function periodOf(
  fields: Fields,
  key: string,
  name: keyof Healthcheck,
  minMs: number,
): Healthcheck {
  const field = fields.get(key);
  return field === undefined ? {} : { [name]: periodIn(field, minMs, dayMs) };
}

/** A duration within bounds. @throws COMPOSE_VALUE */
export function periodIn(field: Field, minMs: number, maxMs: number): number {
  const ms = durationMs(textOf(field, 'a duration like 30s or 1m30s'));
  if (ms === undefined) refuse(field, 'a duration like 30s or 1m30s, with its unit');
  if (ms < minMs || ms > maxMs) refuse(field, `a duration from ${minMs} ms to ${maxMs / 1000} s`);
  return ms;
}
