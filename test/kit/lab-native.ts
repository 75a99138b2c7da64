// SPDX-License-Identifier: Apache-2.0
// The native suite as one file for a device: all test files of test/native whose head says that they run in the
// lab, bundled with lab-ava in ava's place, beside the programs of that machine. Node is the device's own.

import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import { build, type Plugin } from 'esbuild';
import { projectFolder } from '../../adapters/places.js';
import type { LabResult } from './lab-ava.js';

const here = dirname(fileURLToPath(import.meta.url));
const programs = ['wherry-run', 'wherry-keep', 'wherry-layer'];

/** Test files of a room whose first lines say `// runs: host, lab`. */
export function labTests(room: string): string[] {
  const folder = join(projectFolder(), 'test', room);
  return readdirSync(folder)
    .filter((name) => name.endsWith('.test.ts'))
    .filter((name) => {
      const head = readFileSync(join(folder, name), 'utf8').split('\n').slice(0, 8);
      return head.some((line) => line === '// runs: host, lab');
    })
    .map((name) => name.replace(/\.ts$/, ''))
    .sort();
}

const inAvasPlace: Plugin = {
  name: 'lab-ava',
  setup: ({ onResolve, onLoad }) => {
    onResolve({ filter: /^ava$/ }, () => ({ path: 'ava', namespace: 'lab' }));
    onLoad({ filter: /.*/, namespace: 'lab' }, () => ({
      contents: `export { test as default } from ${JSON.stringify(join(here, 'lab-ava.js'))};`,
      resolveDir: here,
    }));
  },
};

/** A folder with suite.mjs and the programs, to be a device's share; gone at the test's end. */
export async function nativeSuite(
  t: ExecutionContext,
  machine: string,
  files: readonly string[] = labTests('native'),
): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'wherry-lab-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const imports = files.map(
    (name) =>
      `beginFile(${JSON.stringify(name)});\nawait import(${JSON.stringify(`../native/${name}.js`)});\n`,
  );
  await build({
    stdin: {
      contents: `import { beginFile, runAll } from './lab-ava.js';\n${imports.join('')}process.exitCode = (await runAll((line) => process.stdout.write(line + '\\n'))) === 0 ? 0 : 1;\n`,
      resolveDir: here,
    },
    outfile: join(folder, 'suite.mjs'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'error',
    plugins: [inAvasPlace],
  });
  mkdirSync(join(folder, 'bin'));
  for (const name of programs) {
    copyFileSync(join(projectFolder(), 'build', machine, name), join(folder, 'bin', name));
  }
  return folder;
}

/** The lines that the suite printed. */
export function resultsIn(stdout: string): LabResult[] {
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as LabResult);
}
