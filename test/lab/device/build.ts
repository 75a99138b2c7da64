// SPDX-License-Identifier: Apache-2.0
// Builds what a device boots from, once an architecture, into the cache: kernel, initrd, root disk, and busybox for
// images. A changed list or guest script builds anew; builds at the same time wait for each other.

import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { copyFile, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { projectFolder } from '../../../adapters/places.js';
import { foreignNode } from '../../../provisioning/host/foreign-node.js';
import {
  type Arch,
  applets,
  bootModules,
  guestPackages,
  labCache,
  machines,
  rootModules,
  softModules,
} from './machine.js';
import { must } from './must.js';
import { copyModules, emptyTree, finishRoot, makeInitrd, unpackDeb } from './root.js';

export interface Built {
  readonly kernel: string;
  readonly initrd: string;
  readonly root: string;
  /** Static, for images and containers of that side. */
  readonly busybox: string;
}

/** Room in the root disk beside its files. */
const spareBytes = 64 * 1024 * 1024;
const lockWaitMs = 900_000;
const guestFiles = ['initrd-init', 'lab-init', 'net-shape'];

function builtIn(folder: string): Built {
  return {
    kernel: join(folder, 'vmlinuz'),
    initrd: join(folder, 'initrd.gz'),
    root: join(folder, 'root.img'),
    busybox: join(folder, 'busybox'),
  };
}

function stampOf(arch: Arch): string {
  const hash = createHash('sha256');
  const lists = [machines[arch], guestPackages, bootModules, softModules, rootModules, applets];
  hash.update(JSON.stringify([...lists, process.versions.node]));
  for (const name of [...guestFiles.map((file) => `guest/${file}`), 'root.ts', 'build.ts']) {
    hash.update(readFileSync(join(projectFolder(), 'test/lab/device', name)));
  }
  hash.update(readFileSync(join(projectFolder(), 'native/foreign-debs.sh')));
  return hash.digest('hex');
}

/** The cached parts of that architecture, built first where they are missing or old; `say` hears of a build. */
export async function buildDevice(arch: Arch, say: (line: string) => void): Promise<Built> {
  const folder = join(labCache(), arch);
  await mkdir(folder, { recursive: true });
  const stamp = stampOf(arch);
  if (isFresh(folder, stamp)) return builtIn(folder);
  const release = await lock(join(folder, 'lock'));
  try {
    if (isFresh(folder, stamp)) return builtIn(folder);
    const startedAt = performance.now();
    say(`lab: building the ${arch} device in ${folder}: one to three minutes, once`);
    await build(arch, folder);
    await writeFile(join(folder, 'stamp'), stamp);
    say(`lab: built in ${Math.round((performance.now() - startedAt) / 1000)} s`);
  } finally {
    await release();
  }
  return builtIn(folder);
}

function isFresh(folder: string, stamp: string): boolean {
  const path = join(folder, 'stamp');
  return existsSync(path) && readFileSync(path, 'utf8') === stamp;
}

/** A folder as the lock, with the holder's pid in it: one left by a dead process is taken over. */
async function lock(path: string): Promise<() => Promise<void>> {
  const end = Date.now() + lockWaitMs;
  while (!(await take(path))) {
    const pidFile = join(path, 'pid');
    const pid = existsSync(pidFile) ? readFileSync(pidFile, 'utf8') : '';
    if (pid !== '' && !existsSync(`/proc/${pid}`)) await rm(path, { recursive: true, force: true });
    if (Date.now() > end) throw new Error(`lab: ${path} is held by process ${pid}`);
    await sleep(200);
  }
  return () => rm(path, { recursive: true, force: true });
}

async function take(path: string): Promise<boolean> {
  try {
    await mkdir(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
  await writeFile(join(path, 'pid'), String(process.pid));
  return true;
}

async function build(arch: Arch, folder: string): Promise<void> {
  const { kernel, machine } = machines[arch];
  const debs = (verb: string, ...packages: string[]): Promise<string[]> =>
    foreignDebs(arch, folder, verb, packages);
  const root = join(folder, 'root');
  const unpacked = join(folder, 'kernel');
  const archives = await debs('fetch', ...guestPackages);
  // Of the kernel's meta package only the kernel: its dependencies make initrds, on the device.
  const image = (await debs('depends', kernel)).find((name) => /^linux-image-\d/.test(name));
  if (image === undefined) throw new Error(`lab: ${kernel} depends on no kernel`);
  const kernelArchives = await debs('alone', image);
  await emptyTree(root);
  await emptyTree(unpacked);
  for (const deb of kernelArchives) await unpackDeb(deb, unpacked);
  for (const deb of archives) await unpackDeb(deb, root);
  await copyFile(await foreignNode(machine, folder), join(root, 'usr/bin/node'));
  await finishRoot(root);
  const version = image.replace('linux-image-', '');
  const { boot } = await copyModules(unpacked, version, root);
  const built = builtIn(folder);
  await copyFile(join(root, 'usr/bin/busybox'), built.busybox).catch(() =>
    copyFile(join(root, 'bin/busybox'), built.busybox),
  );
  await makeInitrd(join(folder, 'initrd'), {
    busybox: built.busybox,
    modules: join(root, 'lib/modules', version),
    boot,
    out: built.initrd,
  });
  await copyFile(join(unpacked, 'boot', `vmlinuz-${version}`), built.kernel);
  await makeRootDisk(root, built.root);
  for (const name of ['root', 'kernel', 'initrd']) {
    await rm(join(folder, name), { recursive: true, force: true });
  }
}

async function foreignDebs(
  arch: Arch,
  folder: string,
  verb: string,
  packages: readonly string[],
): Promise<string[]> {
  const script = join(projectFolder(), 'native/foreign-debs.sh');
  const text = await must(script, [arch, join(folder, 'apt'), verb, ...packages]);
  return text.split('\n').filter((line) => line !== '');
}

async function makeRootDisk(root: string, out: string): Promise<void> {
  const bytes = Number((await must('du', ['-sb', root])).split('\t')[0]);
  const kilobytes = Math.ceil((bytes * 1.1 + spareBytes) / 1024);
  const draft = `${out}.new`;
  await rm(draft, { force: true });
  await must('mke2fs', [
    ...['-q', '-t', 'ext4', '-m', '0', '-E', 'root_owner=0:0', '-d', root],
    ...[draft, `${kilobytes}k`],
  ]);
  await rename(draft, out);
}
