// SPDX-License-Identifier: Apache-2.0
// Named volumes. The data lies in <volume>/_data. A new volume takes the image's content at its target, as
// Docker does it: copied beside (_data.part), synced and renamed, so that a cut leaves it empty or whole.
// Device nodes, sockets and extended attributes are not copied; hard links become copies.

import { createHash } from 'node:crypto';
import { constants, type Dirent, existsSync } from 'node:fs';
import {
  chmod,
  copyFile,
  lchown,
  lutimes,
  mkdir,
  open,
  readdir,
  readlink,
  rename,
  rm,
  symlink,
} from 'node:fs/promises';
import { join } from 'node:path';
import { fileError, syncFolder } from '../../adapters/durable.js';
import { CodedError } from '../../protocol/error.js';
import type { Store } from '../store/types.js';
import { child, find, type Place } from './layered.js';

const namePattern = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;
/** Entries copied into one new volume at most; an image's data folder has a few hundred. */
const entryCountMax = 100_000;
const depthMax = 64;

/** The volume of an image's VOLUME path: it stays with the workload over all its releases. */
export function anonymousName(workload: string, path: string): string {
  const tag = createHash('sha256').update(path).digest('hex').slice(0, 12);
  return `anonymous_${workload}_${tag}`;
}

/**
 * The folder to mount, made and filled if it is new.
 * @param layers topmost first. @param noCopy a new one stays empty. @throws RUN_VOLUME, RUN_IMAGE_PATH, NO_SPACE
 */
export async function volumeData(
  store: Pick<Store, 'folders'>,
  name: string,
  target: string,
  layers: readonly string[],
  noCopy = false,
): Promise<string> {
  if (!namePattern.test(name)) {
    throw new CodedError('RUN_VOLUME', `'${name}' is not a volume's name`, { name, target });
  }
  const folder = await store.folders.volume(name);
  const data = join(folder, '_data');
  if (existsSync(data)) return data;
  const part = join(folder, '_data.part');
  try {
    await rm(part, { recursive: true, force: true });
    await mkdir(part);
    await chmod(part, 0o755);
    const source = noCopy ? undefined : await find(layers, target);
    if (source?.stats.isDirectory() === true) {
      await copyFolder(source, part, { count: 0 }, 0);
    }
    await rename(part, data);
    await syncFolder(folder);
  } catch (error) {
    throw fileError(error, data);
  }
  return data;
}

async function copyFolder(
  source: Place,
  target: string,
  seen: { count: number },
  depth: number,
): Promise<void> {
  if (depth > depthMax) throw tooMuch(`is nested deeper than ${depthMax}`, target);
  for (const name of await names(source.paths)) {
    seen.count += 1;
    if (seen.count > entryCountMax) throw tooMuch(`has more than ${entryCountMax} entries`, target);
    const entry = await child(source.paths, name);
    if (entry !== undefined) await copyEntry(entry, join(target, name), seen, depth);
  }
  await copyOwner(source, target);
  await syncFolder(target);
}

async function copyEntry(
  entry: Place,
  target: string,
  seen: { count: number },
  depth: number,
): Promise<void> {
  const path = entry.paths[0] ?? '';
  if (entry.stats.isDirectory()) {
    await mkdir(target);
    await copyFolder(entry, target, seen, depth + 1);
  } else if (entry.stats.isSymbolicLink()) {
    await symlink(await readlink(path), target);
    await lchown(target, entry.stats.uid, entry.stats.gid);
  } else if (entry.stats.isFile()) {
    await copyFile(path, target);
    await copyOwner(entry, target);
    const file = await open(target, constants.O_RDONLY | constants.O_NOFOLLOW);
    await file.sync().finally(() => file.close());
  }
}

/** Owner first: chown(2) takes setuid away. */
async function copyOwner(entry: Place, target: string): Promise<void> {
  const { uid, gid, mode, atime, mtime } = entry.stats;
  await lchown(target, uid, gid);
  await chmod(target, mode & 0o7777);
  await lutimes(target, atime, mtime);
}

async function names(folders: readonly string[]): Promise<Set<string>> {
  const all = new Set<string>();
  for (const folder of folders) {
    const entries: Dirent[] = await readdir(folder, { withFileTypes: true });
    for (const entry of entries) all.add(entry.name);
  }
  return all;
}

function tooMuch(what: string, path: string): CodedError {
  return new CodedError('RUN_VOLUME', `the image's content for a volume ${what}`, { path });
}
