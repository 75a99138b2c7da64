// SPDX-License-Identifier: Apache-2.0
// SHA-256 by NIST's vectors, on every path that this machine has, and against node:crypto on a long stream.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { projectFolder } from '../../adapters/places.js';
import { digestOf, layer, tempDir } from '../kit/layer-run.js';

test('SHA-256 gives the digests of the standard on every path, in pieces of any length.', (t) => {
  const root = projectFolder();
  const program = join(tempDir(t), 'sha256');
  const sources = ['sha256.c', 'sha256_x86.c', 'sha256_arm.c'].map((f) =>
    join(root, 'native/layer', f),
  );
  const args = ['-O2', '-std=c11', '-D_GNU_SOURCE', `-I${join(root, 'native')}`, '-o', program];
  const built = spawnSync('gcc', [...args, join(root, 'test/native/layer-sha256.c'), ...sources]);
  t.is(built.status, 0, built.stderr?.toString());
  const run = spawnSync(program, []);
  t.is(run.status, 0, run.stdout.toString());
  const paths = run.stdout.toString().trim().split('\n');
  t.true(paths.includes('plain'));
  if (/\bsha_ni\b/.test(readFileSync('/proc/cpuinfo', 'utf8'))) t.true(paths.includes('x86'));
  t.log(`paths: ${paths.join(', ')}`);
});

test('The verb digest agrees with node:crypto, and counts.', (t) => {
  const bytes = Buffer.alloc(1_234_567, 'wherry');
  t.like(layer(['digest'], bytes).result, { digest: digestOf(bytes), size: bytes.length });
});
