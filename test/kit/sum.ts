#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Adds the counts of all suites in a folder and prints the one closing line.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = process.argv[2] ?? 'build/counts';
const sum = { passed: 0, failed: 0, skipped: 0 };
for (const file of readdirSync(folder)) {
  const counts = JSON.parse(readFileSync(join(folder, file), 'utf8')) as typeof sum;
  process.stdout.write(`${file.replace('.json', '').padEnd(16)} ${JSON.stringify(counts)}\n`);
  sum.passed += counts.passed;
  sum.failed += counts.failed;
  sum.skipped += counts.skipped;
}
process.stdout.write(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped\n`);
process.exitCode = sum.failed === 0 ? 0 : 1;
