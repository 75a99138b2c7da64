// SPDX-License-Identifier: Apache-2.0
// Keys that are taken and have no effect on a device, or are only taken with the value that is so anyway.

import type { Context } from './context.js';
import { refuse } from './fault.js';
import { booleanOf, type Field, type Fields, textOf } from './field.js';
import { checkExpose } from './ports.js';
import { refused } from './refused.js';

const pulls = ['always', 'missing', 'if_not_present', 'newer', 'daily', 'weekly'];

type Check = (field: Field, context: Context) => void;

const checks: Readonly<Record<string, Check>> = {
  attach: (field) => void booleanOf(field),
  expose: checkExpose,
  pull_policy: (field, context) => {
    const text = textOf(field);
    if (text === 'never' || text === 'build') {
      throw refused(field, 'a device pulls what it lacks, by digest; leave it out');
    }
    if (!pulls.includes(text) && !/^every_/.test(text)) refuse(field, pulls.join(', '));
    context.note(field, 'the release names the digest; without effect');
  },
  pull_refresh_after: (field, context) => {
    context.note(field, 'the release names the digest; without effect');
  },
  ipc: (field) =>
    only(field, ['private', 'none'], 'every workload has namespaces of its own on a device'),
  scale: (field) => only(field, ['1'], 'a device runs each workload once'),
  oom_kill_disable: (field) => {
    if (booleanOf(field))
      throw refused(field, 'a device that runs out of memory must be able to free some');
  },
  tty: (field) => {
    if (booleanOf(field))
      throw refused(field, 'nobody sits at it; `wherry exec -it` gives a terminal');
  },
  stdin_open: (field) => {
    if (booleanOf(field))
      throw refused(field, 'nobody types into it; `wherry exec -i` gives an input');
  },
};

export const idleKeys: readonly string[] = Object.keys(checks);

function only(field: Field, words: readonly string[], reason: string): void {
  if (!words.includes(textOf(field))) throw refused(field, reason);
}

export function checkIdle(fields: Fields, context: Context): void {
  for (const [key, check] of Object.entries(checks)) {
    const field = fields.get(key);
    if (field !== undefined) check(field, context);
  }
}
