// SPDX-License-Identifier: Apache-2.0
// A test that cannot run here is skipped with its reason in the title, so that the summary counts it.

import { existsSync } from 'node:fs';
import test, { type TestFn } from 'ava';

/** `test.serial`, or a skip whose title says what is missing. */
export function needs<Context = unknown>(what: readonly string[]): TestFn<Context> {
  return orSkip(what, test.serial as TestFn<Context>);
}

/** As above, for tests of a file that may run beside each other. */
export function needsBeside<Context = unknown>(what: readonly string[]): TestFn<Context> {
  return orSkip(what, test as TestFn<Context>);
}

function orSkip<Context>(what: readonly string[], here: TestFn<Context>): TestFn<Context> {
  const lacking = what.filter((need) => !isThere(need));
  if (lacking.length === 0) return here;
  const skip = ((title: string, ...rest: unknown[]) =>
    (test.skip as (...args: unknown[]) => void)(
      `${title} [needs ${lacking.join(', ')}]`,
      ...rest,
    )) as unknown;
  return skip as TestFn<Context>;
}

/** `root`, or a program on the PATH. */
function isThere(need: string): boolean {
  if (need === 'root') return process.getuid?.() === 0;
  return (process.env['PATH'] ?? '').split(':').some((folder) => existsSync(`${folder}/${need}`));
}
