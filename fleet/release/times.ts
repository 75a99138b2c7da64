// SPDX-License-Identifier: Apache-2.0
// When a service runs (x-wherry.schedule) and the signal that ends it.

import { constants } from 'node:os';
import type { Workload } from '../../protocol/release.js';
import { refuse } from './fault.js';
import { type Field, fieldsOf, textOf } from './field.js';

/** Least and most of minute, hour, day of the month, month, day of the week (0 and 7 are Sunday). */
const ranges = [
  [0, 59],
  [0, 23],
  [1, 31],
  [1, 12],
  [0, 7],
] as const;
const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const form = 'a cron expression of 5 fields like "30 3 * * mon-fri", in the device\'s own time';

export function scheduleOf(field: Field | undefined): Pick<Workload, 'schedule'> {
  const at = field === undefined ? undefined : fieldsOf(field, ['schedule']).get('schedule');
  if (at === undefined) return {};
  const cron = textOf(at, form).trim().toLowerCase().replaceAll(/\s+/g, ' ');
  const fields = cron.split(' ');
  const isFine =
    fields.length === ranges.length && fields.every((text, index) => isCronField(text, index));
  return isFine ? { schedule: { cron } } : refuse(at, form);
}

/** Lists of `*`, N or N-M, each with a step behind it if need be. */
function isCronField(text: string, index: number): boolean {
  return text.split(',').every((item) => {
    const [, range = '', step] = /^([^/]+)(?:\/(\d{1,2}))?$/.exec(item) ?? [];
    if (step !== undefined && Number(step) < 1) return false;
    if (range === '*') return true;
    const ends = range.split('-').map((word) => numberOf(word, index));
    const [min, max] = ranges[index] ?? [0, 0];
    const isIn = ends.every((end) => end !== undefined && end >= min && end <= max);
    return isIn && ends.length <= 2 && (ends[0] ?? 0) <= (ends[1] ?? max);
  });
}

function numberOf(word: string, index: number): number | undefined {
  if (/^\d{1,2}$/.test(word)) return Number(word);
  const names = index === 3 ? months : index === 4 ? days : [];
  const at = names.indexOf(word);
  return at < 0 ? undefined : at + (index === 3 ? 1 : 0);
}

/** SIGQUIT, QUIT, 3 or SIGRTMIN+3. */
export function signalOf(field: Field): string {
  const word = textOf(field, 'a signal like SIGQUIT').toUpperCase();
  const byNumber = Object.entries(constants.signals).find(
    ([, number]) => String(number) === word,
  )?.[0];
  const name = byNumber ?? (word.startsWith('SIG') ? word : `SIG${word}`);
  const isKnown =
    Object.hasOwn(constants.signals, name) || /^SIGRTM(IN|AX)([+-]\d{1,2})?$/.test(name);
  return isKnown ? name : refuse(field, 'a signal like SIGQUIT or SIGRTMIN+3');
}
