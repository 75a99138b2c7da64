// SPDX-License-Identifier: Apache-2.0
// Files that survive a power cut: written beside, synced, renamed, and the folder synced, so that a reader
// finds the old bytes or the new ones and never a part. A full disk is NO_SPACE, with the path.

import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { CodedError } from '../protocol/error.js';

/** One writer a path at a time. What an earlier one left beside it is not used. @throws NO_SPACE */
export async function writeDurable(
  path: string,
  bytes: string | Uint8Array,
  options: { mode?: number } = {},
): Promise<void> {
  const part = `${path}.part`;
  try {
    await rm(part, { force: true }); // it may have another mode, or be a link that leads elsewhere
    const file = await open(part, 'wx', options.mode ?? 0o644);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(part, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(part, { force: true }).catch(() => undefined); // the first error is what counts
    throw fileError(error, path);
  }
}

/**
 * Makes a folder and its parents, each synced into its parent. `mode` is the folder's own; a parent that has
 * to be made gets 0755, and what is there keeps what it has.
 * @throws NO_SPACE
 */
export async function makeFolder(path: string, mode = 0o755): Promise<void> {
  try {
    await makeOne(resolve(path), mode);
  } catch (error) {
    throw fileError(error, path);
  }
}

/** The recursion ends at the root, and the kernel takes no path longer than 4096 bytes. */
async function makeOne(path: string, mode: number): Promise<void> {
  try {
    await mkdir(path, { mode });
  } catch (error) {
    if (errnoOf(error) === 'EEXIST' && (await stat(path)).isDirectory()) return;
    if (errnoOf(error) !== 'ENOENT') throw error;
    await makeOne(dirname(path), 0o755);
    return makeOne(path, mode);
  }
  await syncFolder(dirname(path));
}

export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** The file's bytes, or undefined where there is none. */
export async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw fileError(error, path);
  }
}

/** ENOSPC and EDQUOT become NO_SPACE, EACCES and EPERM NOT_ROOT; everything else stays what it is. */
export function fileError(error: unknown, path: string): unknown {
  const errno = errnoOf(error);
  if (errno === 'EACCES' || errno === 'EPERM') {
    return new CodedError(
      'NOT_ROOT',
      `${path} may not be used by this user`,
      { path, errno },
      { cause: error },
    );
  }
  if (errno !== 'ENOSPC' && errno !== 'EDQUOT') return error;
  return new CodedError('NO_SPACE', `no space left for ${path}`, { path, errno }, { cause: error });
}

export function errnoOf(error: unknown): string | undefined {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}
