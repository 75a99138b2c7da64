// SPDX-License-Identifier: Apache-2.0
// Whole trees: made durable in one go, and removed so that a power cut leaves either the tree where it was
// or leavings in the staging folder, which the next start clears away.

import { randomUUID } from 'node:crypto';
import { rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errnoOf, syncFolder } from '../../adapters/durable.js';
import { run } from '../../adapters/exec.js';
import { CodedError } from '../../protocol/error.js';

/** Longest that a flush of the whole file system may take: a slow SD card with a full page cache. */
const syncMs = 10 * 60_000;

/** Everything below `dir` is on the medium: syncfs(2), by coreutils' or busybox' `sync -f`. */
export async function syncTree(dir: string): Promise<void> {
  const { code, stderr } = await run('sync', ['-f', dir], { timeoutMs: syncMs });
  if (code === 0) return;
  throw new CodedError('STORE_CORRUPT', `${dir}: sync ended with ${code}: ${stderr.trim()}`, {
    path: dir,
  });
}

/** Absent is fine. */
export async function removeTree(path: string, staging: string): Promise<void> {
  const doomed = join(staging, `gone-${randomUUID()}`);
  try {
    await rename(path, doomed);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return;
    throw error;
  }
  await syncFolder(dirname(path));
  await rm(doomed, { recursive: true, force: true });
}

export async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}
