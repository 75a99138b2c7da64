// SPDX-License-Identifier: Apache-2.0
// Files that survive a power cut: written beside, synced, renamed, and the folder synced, so that a reader
// finds the old bytes or the new ones and never a part. A full disk is NO_SPACE, with the path.

import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CodedError } from '../protocol/error.js';

/** @throws NO_SPACE */
export async function writeDurable(
  path: string,
  bytes: string | Uint8Array,
  options: { mode?: number } = {},
): Promise<void> {
  const part = `${path}.part`;
  try {
    const file = await open(part, 'w', options.mode ?? 0o644);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(part, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(part, { force: true });
    throw spaceError(error, path);
  }
}

/** Makes a folder and its parents, each synced into its parent. */
export async function makeFolder(path: string, mode = 0o755): Promise<void> {
  try {
    const made = await mkdir(path, { recursive: true, mode });
    if (made !== undefined) await syncFolder(dirname(made));
  } catch (error) {
    throw spaceError(error, path);
  }
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
    throw error;
  }
}

/** ENOSPC and EDQUOT become NO_SPACE; everything else stays what it is. */
export function spaceError(error: unknown, path: string): unknown {
  const errno = errnoOf(error);
  if (errno !== 'ENOSPC' && errno !== 'EDQUOT') return error;
  return new CodedError('NO_SPACE', `no space left for ${path}`, { path, errno }, { cause: error });
}

export function errnoOf(error: unknown): string | undefined {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}
