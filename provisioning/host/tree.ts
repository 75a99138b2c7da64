// SPDX-License-Identifier: Apache-2.0
// A folder that runs by itself: programs, each one file, the native programs, sqlite3's addon and zstd-codec. The
// addon is the machine's own: that of the cross build where the machine is another one.

import { existsSync } from 'node:fs';
import { chmod, copyFile, cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { build } from 'esbuild';
import { run } from '../../adapters/exec.js';
import { nativeError } from '../../adapters/native.js';
import { CodedError } from '../../protocol/error.js';
import { compiled, type Shipped } from './programs.js';

export interface Tree {
  readonly folder: string;
  /** build/<machine>/ */
  readonly machineFolder: string;
  readonly name: string;
  readonly programs: readonly Shipped[];
  readonly natives: readonly string[];
}

/** What a device runs besides Node. */
export const deviceNatives = ['wherry-run', 'wherry-keep', 'wherry-layer', 'wherry-init'] as const;

/** Kept as they are: an addon that finds its .node beside itself, and a package that is loaded only when needed. */
const external = ['sqlite3', 'zstd-codec'];
const addonPlace = 'build/Release/node_sqlite3.node';
const folderMode = 0o755;

/** @throws NATIVE_MISSING where the machine's build is not there */
export async function makeTree(tree: Tree): Promise<void> {
  const { folder, machineFolder } = tree;
  await mkdir(folder, { recursive: true, mode: folderMode });
  for (const native of tree.natives) {
    const path = needed(join(machineFolder, native), machineFolder);
    await copyFile(path, join(folder, native));
    await chmod(join(folder, native), 0o755);
  }
  for (const { name, entry } of tree.programs) await bundleProgram(folder, name, entry);
  await copyPackages(folder, machineFolder);
  const manifest = {
    name: tree.name,
    version: await projectVersion(),
    private: true,
    type: 'module',
  };
  await writeFile(join(folder, 'package.json'), `${JSON.stringify(manifest)}\n`);
}

function needed(path: string, machineFolder: string): string {
  if (existsSync(path)) return path;
  const arch: Readonly<Record<string, string>> = { aarch64: ' ARCH=arm64', armv7l: ' ARCH=armhf' };
  const what = `make all${arch[basename(machineFolder)] ?? ''}`;
  throw new CodedError('NATIVE_MISSING', `${path} is not there; build it with '${what}'`, { path });
}

export async function projectVersion(): Promise<string> {
  const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };
  return version;
}

async function bundleProgram(folder: string, name: string, entry: string): Promise<void> {
  const { outputFiles } = await build({
    entryPoints: [join(compiled, entry)],
    write: false,
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
  // The launcher starts it, so it is no script of its own.
  const text = outputFiles[0]?.text.replace(/^#!.*\n/, '') ?? '';
  await writeFile(join(folder, `${name}.mjs`), text, { mode: 0o644 });
}

async function copyPackages(folder: string, machineFolder: string): Promise<void> {
  const modules = join(folder, 'node_modules');
  for (const file of ['package.json', 'lib']) {
    await cp(join('node_modules/sqlite3', file), join(modules, 'sqlite3', file), {
      recursive: true,
      filter: isShipped,
    });
  }
  const addon = join(modules, 'sqlite3', addonPlace);
  await mkdir(join(addon, '..'), { recursive: true });
  await copyFile(addonOf(machineFolder), addon);
  await chmod(addon, 0o644);
  await strip(addon, machineFolder);
  for (const name of ['bindings', 'file-uri-to-path', 'zstd-codec']) {
    await cp(join('node_modules', name), join(modules, name), {
      recursive: true,
      filter: isShipped,
    });
  }
}

/** What a package needs to run and its licence; not its notes, tests and files of the developers. */
function isShipped(path: string): boolean {
  const name = basename(path);
  if (name.startsWith('.')) return false;
  if (name === 'zstd-codec-binding.js') return false; // for engines without WebAssembly
  if (['test', 'tests', 'example', 'examples', 'docs'].includes(name)) return false;
  return !/\.(md|d\.ts|map|html)$/i.test(name) || /^licen[cs]e/i.test(name);
}

const strips: Readonly<Record<string, string>> = {
  aarch64: 'aarch64-linux-gnu-strip',
  armv7l: 'arm-linux-gnueabihf-strip',
};

/** Takes the symbols away, by the tool of the machine that the file is for. */
export async function strip(path: string, machineFolder: string): Promise<void> {
  const tool = basename(machineFolder) === ownMachine() ? 'strip' : strips[basename(machineFolder)];
  await must(tool ?? 'strip', ['--strip-unneeded', path]);
}

function addonOf(machineFolder: string): string {
  return needed(
    basename(machineFolder) === ownMachine()
      ? join('node_modules/sqlite3', addonPlace)
      : join(machineFolder, 'node_sqlite3.node'),
    machineFolder,
  );
}

/** As build/ names the machine that we run on. */
export function ownMachine(): string | undefined {
  const names: Partial<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64', arm: 'armv7l' };
  return names[process.arch];
}

/** Runs a tool of the build. @throws as it says */
export async function must(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const { code, stdout, stderr } = await run(program, args, { env: { ...process.env, ...env } });
  if (code !== 0) throw nativeError(program, code, stderr);
  return stdout;
}
