#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// `make bundle`: everything that a device needs in one archive: the agent and its tools each as one file,
// the native programs, sqlite3's addon, zstd-codec, and the Node that they were tested with. It is unpacked to
// /usr/lib/wherry; nothing is compiled or fetched on the device.

import { chmod, copyFile, mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bytesText, errorText, print } from '../../adapters/terminal.js';
import { nodeFor } from './node.js';
import { device } from './programs.js';
import { deviceNatives, makeTree, must } from './tree.js';

async function makeBundle(machineFolder: string): Promise<string> {
  const folder = join(machineFolder, 'bundle');
  await rm(folder, { recursive: true, force: true });
  await makeTree({
    folder,
    machineFolder,
    name: 'wherry-device',
    programs: device,
    natives: deviceNatives,
  });
  await mkdir(join(folder, 'bin'));
  for (const { name, flags } of device) await launcher(folder, name, flags ?? '');
  await copyFile(await nodeFor(machineFolder), join(folder, 'node'));
  await copyFile('LICENSE', join(folder, 'LICENSE'));
  await copyFile('NOTICES.md', join(folder, 'NOTICES.md'));
  const archive = join(machineFolder, 'wherry-device.tar.gz');
  const owner = ['--owner=0', '--group=0', '--numeric-owner', '--mtime=@0'];
  await must('tar', ['--sort=name', ...owner, '-C', folder, '-czf', archive, '.']);
  return archive;
}

async function launcher(folder: string, name: string, flags: string): Promise<void> {
  const text = `#!/bin/sh
here=$(dirname "$(readlink -f "$0")")/..
export MALLOC_ARENA_MAX=1 UV_THREADPOOL_SIZE=2 WHERRY_NATIVE="$here"
exec "$here/node" ${flags}${flags === '' ? '' : ' '}"$here/${name}.mjs" "$@"
`;
  await writeFile(join(folder, 'bin', name), text);
  await chmod(join(folder, 'bin', name), 0o755);
}

try {
  const archive = await makeBundle(process.argv[2] ?? 'build');
  print(`${archive} ${bytesText((await stat(archive)).size)}`);
} catch (error) {
  process.stderr.write(`${errorText('bundle', error)}\n`);
  process.exitCode = 1;
}
