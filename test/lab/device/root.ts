// SPDX-License-Identifier: Apache-2.0
// Fills the folder that becomes a device's root disk, and its initrd, from unpacked packages. Nothing of the other
// architecture runs here: what maintainer scripts would have made is made by hand, as little as a device needs.

import { existsSync, lstatSync } from 'node:fs';
import { copyFile, cp, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { projectFolder } from '../../../adapters/places.js';
import { chooseModules, type ModuleChoice } from './kernel-modules.js';
import { applets } from './machine.js';
import { must } from './must.js';

const guestFolder = join(projectFolder(), 'test/lab/device/guest');

const files: Readonly<Record<string, string>> = {
  'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n',
  'etc/group': 'root:x:0:\ntty:x:5:\nnogroup:x:65534:\n',
  'etc/hosts': '127.0.0.1 localhost\n',
  'etc/resolv.conf': 'nameserver 10.0.2.3\n',
  'etc/nsswitch.conf': 'passwd: files\nhosts: files dns\n',
  'etc/profile':
    "PS1='device:\\w# '\necho 'Ctrl-D powers the device off; Ctrl-A X pulls its plug.'\n",
};

/** A folder with merged /usr, as Debian's packages want it. */
export async function emptyTree(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  for (const name of ['bin', 'sbin', 'lib']) {
    await mkdir(join(folder, 'usr', name), { recursive: true });
    await symlink(`usr/${name}`, join(folder, name));
  }
}

export async function unpackDeb(deb: string, folder: string): Promise<void> {
  const script =
    'dpkg-deb --fsys-tarfile "$1" | tar -C "$2" --keep-directory-symlink --exclude=./usr/share/doc --exclude=./usr/share/man --exclude=./usr/share/locale -xf -';
  await must('sh', ['-c', script, 'sh', deb, folder]);
}

/** What the root needs beside the packages: folders, files, the first program, busybox's names. */
export async function finishRoot(root: string): Promise<void> {
  const folders =
    'dev proc sys run tmp root data etc lab/ctl lab/share var/lib var/log usr/local/bin';
  for (const name of folders.split(' ')) await mkdir(join(root, name), { recursive: true });
  for (const [name, text] of Object.entries(files)) await writeFile(join(root, name), text);
  await copyFile(join(guestFolder, 'lab-init'), join(root, 'sbin/lab-init'));
  await copyFile(join(guestFolder, 'net-shape'), join(root, 'usr/local/bin/net-shape'));
  // Not busybox's sh: it would run its own ip and mount before the programs on the PATH.
  await rm(join(root, 'bin/sh'), { force: true });
  await symlink('dash', join(root, 'bin/sh'));
  for (const name of applets) {
    const taken = ['usr/bin', 'usr/sbin'].some((folder) => isThere(join(root, folder, name)));
    if (!taken) await symlink('busybox', join(root, 'usr/bin', name));
  }
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Copies the chosen modules of an unpacked kernel into the root; gives the choice. */
export async function copyModules(
  kernel: string,
  version: string,
  root: string,
): Promise<ModuleChoice> {
  const below = join('lib/modules', version);
  await must('depmod', ['-b', kernel, version]);
  const choice = chooseModules(await readFile(join(kernel, below, 'modules.dep'), 'utf8'));
  for (const path of choice.root) {
    await mkdir(dirname(join(root, below, path)), { recursive: true });
    await copyFile(join(kernel, below, path), join(root, below, path));
  }
  for (const name of ['modules.order', 'modules.builtin', 'modules.builtin.modinfo']) {
    if (existsSync(join(kernel, below, name))) {
      await cp(join(kernel, below, name), join(root, below, name));
    }
  }
  await must('depmod', ['-b', root, version]);
  return choice;
}

/** A gzipped cpio of static busybox, the boot modules and the init that mounts the root disk. */
export async function makeInitrd(
  folder: string,
  parts: { busybox: string; modules: string; boot: readonly string[]; out: string },
): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(join(folder, 'bin'), { recursive: true });
  await copyFile(parts.busybox, join(folder, 'bin/busybox'));
  for (const path of parts.boot) {
    await copyFile(join(parts.modules, path), join(folder, basename(path)));
  }
  const list = parts.boot.map((path) => `/${basename(path)}\n`).join('');
  await writeFile(join(folder, 'modules'), list);
  await copyFile(join(guestFolder, 'initrd-init'), join(folder, 'init'));
  const pack = 'find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet | gzip -6 -n >"$1"';
  await must('sh', ['-c', pack, 'sh', parts.out], { cwd: folder });
}
