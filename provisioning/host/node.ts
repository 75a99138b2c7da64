// SPDX-License-Identifier: Apache-2.0
// The Node that is shipped with Wherry, stripped: the one that NODE names, else the running one, or for another
// machine the project's own build of it.

import { chmod, copyFile, mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { CodedError } from '../../protocol/error.js';
import { foreignNode, isForeignMachine } from './foreign-node.js';
import { must, ownMachine, strip } from './tree.js';

const cache = 'build/cross/node';
const machineNames: Readonly<Record<string, string>> = {
  'Advanced Micro Devices X86-64': 'x86_64',
  AArch64: 'aarch64',
  ARM: 'armv7l',
};

/** Path of a stripped copy below the machine's folder. @throws NATIVE_MISSING, BOX_FAILED */
export async function nodeFor(machineFolder: string): Promise<string> {
  const source = process.env['NODE'] ?? (await knownNode(basename(machineFolder)));
  const head = await must('readelf', ['-h', source]);
  const machine = machineNames[/Machine: +(.*)/.exec(head)?.[1]?.trim() ?? ''];
  if (machine !== basename(machineFolder)) {
    const what = `${source} is a Node for ${machine ?? 'an unknown machine'}, not for ${basename(machineFolder)}: name one with NODE=FILE`;
    throw new CodedError('NATIVE_MISSING', what, { path: source });
  }
  const folder = join(machineFolder, 'node');
  await mkdir(folder, { recursive: true });
  const path = join(folder, 'node');
  await copyFile(source, path);
  await chmod(path, 0o755);
  await strip(path, machineFolder);
  return path;
}

async function knownNode(machine: string): Promise<string> {
  if (machine === ownMachine() || !isForeignMachine(machine)) return process.execPath;
  await mkdir(cache, { recursive: true });
  return foreignNode(machine, cache);
}
