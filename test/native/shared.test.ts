// SPDX-License-Identifier: Apache-2.0
// Compiles the C unit tests of native/shared with ASan and UBSan and runs them: a failed CHECK, a leak or an
// undefined step is a failed test. Needs gcc with its sanitizers.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { run } from '../../adapters/exec.js';
import { projectFolder } from '../../adapters/places.js';

const project = projectFolder();
const flags = [
  ...['-std=c11', '-D_GNU_SOURCE', '-O1', '-g', '-Wall', '-Wextra', '-Inative', '-Itest/native'],
  ...['-fsanitize=address,undefined', '-fno-sanitize-recover=all'],
];

async function unit(
  t: ExecutionContext,
  name: string,
  sources: readonly string[],
  extra: readonly string[] = [],
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'wherry-shared-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const program = join(folder, 'unit');
  const files = [`test/native/${name}.c`, ...sources.map((file) => `native/shared/${file}.c`)];
  const options = { cwd: project, timeoutMs: 60_000 };
  const built = await run('gcc', [...flags, ...extra, ...files, '-o', program], options);
  t.is(built.code, 0, built.stderr);
  // The leak check wants ptrace, which a container may forbid.
  const env = { ...process.env, ASAN_OPTIONS: 'detect_leaks=1' };
  const ran = await run(program, [folder], { timeoutMs: 60_000, env });
  t.is(ran.code, 0, ran.stdout + ran.stderr);
}

test('JSON is read strictly, bounded and with the line of the error, and written validly', async (t) => {
  await unit(t, 'shared-json', ['json', 'json-get', 'json-put', 'error', 'utf8']);
});

test('An error carries its word, its errno and its context, and prints as one valid JSON line', async (t) => {
  await unit(t, 'shared-error', ['json', 'json-get', 'error', 'utf8', 'fd']);
});

test('No link, dot-dot or dangling name in a root leads out of it with openat2', async (t) => {
  await unit(t, 'shared-path', ['path', 'walk', 'fd', 'error', 'utf8']);
});

test('No link, dot-dot or dangling name in a root leads out of it without openat2', async (t) => {
  await unit(t, 'shared-path', ['path', 'walk', 'fd', 'error', 'utf8'], ['-DPATH_NO_OPENAT2']);
});
