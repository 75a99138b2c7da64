#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// `make man` and `make completion`: writes what the programs say of themselves to build/man and build/completion.
//
//   write-pages.js man|completion FOLDER

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorText, print } from '../../adapters/terminal.js';
import { CodedError } from '../../protocol/error.js';
import { completionFor, completionPlaces, manOf } from './pages.js';
import { control, device } from './programs.js';

async function writeMan(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const program of [...device, ...control]) {
    const path = join(folder, `${program.name}.${program.section}`);
    await writeFile(path, await manOf(program));
    print(path);
  }
}

async function writeCompletion(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const program of [...device, ...control]) {
    for (const shell of Object.keys(completionPlaces)) {
      const path = join(folder, `${program.name}.${shell}`);
      await writeFile(path, await completionFor(program, shell));
      print(path);
    }
  }
}

const writers: Readonly<Record<string, (folder: string) => Promise<void>>> = {
  man: writeMan,
  completion: writeCompletion,
};

try {
  const [kind = '', folder = join('build', kind)] = process.argv.slice(2);
  const writer = writers[kind];
  if (writer === undefined) throw new CodedError('USAGE', `man or completion, not '${kind}'`);
  await writer(folder);
} catch (error) {
  process.stderr.write(`${errorText('pages', error)}\n`);
  process.exitCode = 1;
}
