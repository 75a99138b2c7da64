#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// `make bundle`: everything that a device needs in one archive: the agent and its tools each as one file,
// the native programs, sqlite3's addon, zstd-codec, and the Node that they were tested with. It is unpacked to
// /usr/lib/wherry; nothing is compiled or fetched on the device.

import { chmod, copyFile, cp, mkdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { writeDurable } from '../../adapters/durable.js';
import { run } from '../../adapters/exec.js';
import { nativeError } from '../../adapters/native.js';
import { bytesText, errorText, print } from '../../adapters/terminal.js';

const programs = {
  wherryd: 'dist/agent/main.js',
  wherry: 'dist/agent/local/main.js',
  'wherry-provision': 'dist/provisioning/main.js',
};
const natives = ['wherry-run', 'wherry-keep', 'wherry-layer'];
/** Kept as they are: an addon that finds its .node beside itself, and a package that is loaded only when needed. */
const external = ['sqlite3', 'zstd-codec'];
const addonFiles = ['package.json', 'lib', 'build/Release/node_sqlite3.node'];
const agentFlags = '--max-semi-space-size=1 --max-old-space-size=64';

async function makeBundle(machineFolder: string): Promise<string> {
  const folder = join(machineFolder, 'bundle');
  await rm(folder, { recursive: true, force: true });
  await mkdir(join(folder, 'bin'), { recursive: true });
  for (const native of natives) await copyFile(join(machineFolder, native), join(folder, native));
  for (const [name, entry] of Object.entries(programs)) await bundleProgram(folder, name, entry);
  await copyPackages(folder);
  await copyFile(process.execPath, join(folder, 'node'));
  await must('strip', [join(folder, 'node')]);
  const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };
  const manifest = { name: 'wherry-device', version, private: true, type: 'module' };
  await writeDurable(join(folder, 'package.json'), `${JSON.stringify(manifest)}\n`);
  await copyFile('LICENSE', join(folder, 'LICENSE'));
  await copyFile('NOTICES.md', join(folder, 'NOTICES.md'));
  const archive = join(machineFolder, 'wherry-device.tar.gz');
  await must('tar', [
    '--sort=name',
    '--owner=0',
    '--group=0',
    '--numeric-owner',
    '--mtime=@0',
    '-C',
    folder,
    '-czf',
    archive,
    '.',
  ]);
  return archive;
}

/** One file a program, and a launcher with the flags that keep it small. */
async function bundleProgram(folder: string, name: string, entry: string): Promise<void> {
  await build({
    entryPoints: [entry],
    outfile: join(folder, `${name}.mjs`),
    bundle: true,
    minify: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    external,
    logLevel: 'error',
    // Packages in the older module form call require.
    banner: {
      js: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);",
    },
  });
  const flags = name === 'wherryd' ? `${agentFlags} ` : '';
  const launcher = `#!/bin/sh
here=$(dirname "$(readlink -f "$0")")/..
export MALLOC_ARENA_MAX=1 UV_THREADPOOL_SIZE=2 WHERRY_NATIVE="$here"
exec "$here/node" ${flags}"$here/${name}.mjs" "$@"
`;
  await writeDurable(join(folder, 'bin', name), launcher);
  await chmod(join(folder, 'bin', name), 0o755);
}

async function copyPackages(folder: string): Promise<void> {
  const modules = join(folder, 'node_modules');
  for (const file of addonFiles) {
    await cp(join('node_modules/sqlite3', file), join(modules, 'sqlite3', file), {
      recursive: true,
    });
  }
  for (const name of ['bindings', 'file-uri-to-path', 'zstd-codec']) {
    await cp(join('node_modules', name), join(modules, name), { recursive: true });
  }
}

async function must(program: string, args: readonly string[]): Promise<void> {
  const { code, stderr } = await run(program, args);
  if (code !== 0) throw nativeError(program, code, stderr);
}

try {
  const archive = await makeBundle(process.argv[2] ?? 'build');
  print(`${archive} ${bytesText((await stat(archive)).size)}`);
} catch (error) {
  process.stderr.write(`${errorText('bundle', error)}\n`);
  process.exitCode = 1;
}
