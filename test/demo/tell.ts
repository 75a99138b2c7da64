// SPDX-License-Identifier: Apache-2.0
// How the story is told: chapters, commands as a person would type them, and facts that were checked.

import { strict as assert } from 'node:assert';
import { print } from '../../adapters/terminal.js';

const startedAt = performance.now();

export function chapter(title: string): void {
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  print(`\n[${seconds.padStart(5)} s] ${title}`);
}

export function command(line: string): void {
  print(`    $ ${line}`);
}

export function say(text: string): void {
  for (const line of text.trimEnd().split('\n')) print(`      ${line}`);
}

/** A claim of the story that must hold; the demo fails where it does not. */
export function check(holds: boolean, claim: string): void {
  assert.ok(holds, `the demo claims: ${claim}`);
  print(`    ✓ ${claim}`);
}
