#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Runs one suite of ava and ends with the plain line `N passed, N failed, N skipped`. Failures are shown whole,
// skips by title. The counts go to build/counts/SUITE.json for the sum of all suites.

import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const suite = process.argv[2] ?? 'fast';
const child = spawn('node_modules/.bin/ava', ['--tap'], {
  env: { ...process.env, SUITE: suite, FORCE_COLOR: '0' },
  stdio: ['ignore', 'pipe', 'inherit'],
});

const counts = { passed: 0, failed: 0, skipped: 0 };
let showing = false;
for await (const line of createInterface({ input: child.stdout })) {
  if (/^(not )?ok \d/.test(line)) {
    showing = count(line);
    if (showing) print(line);
  } else if (showing || /^#.*(error|exception|timed? ?out|failed)/i.test(line)) {
    print(line);
  }
}
const code = await new Promise<number>((resolve) => {
  if (child.exitCode !== null) resolve(child.exitCode);
  else child.once('close', (status) => resolve(status ?? 1));
});
if (code !== 0 && counts.failed === 0) counts.failed = 1; // a crash or a time-out outside a test
if (counts.passed === 0) counts.failed += 1;

mkdirSync('build/counts', { recursive: true });
writeFileSync(`build/counts/${suite}.json`, JSON.stringify(counts));
print(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exitCode = counts.failed === 0 ? 0 : 1;

/** Counts one line of TAP and says whether what follows it is worth showing. */
function count(line: string): boolean {
  if (/# (SKIP|TODO)/i.test(line)) counts.skipped += 1;
  else if (line.startsWith('not')) counts.failed += 1;
  else {
    counts.passed += 1;
    return false;
  }
  return true;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
