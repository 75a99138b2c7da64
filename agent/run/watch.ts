// SPDX-License-Identifier: Apache-2.0
// Tells when a keeper's status changed: the kernel's word on each runDir, and a slow look at all of them, since
// watches can be lost or refused. A hint, never a truth: the caller reads status.json itself.

import { type FSWatcher, watch } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

const pollMs = 2000;
const watchCountMax = 256;

interface Seen {
  readonly stamp: string;
  readonly watcher: FSWatcher | undefined;
}

/** @param idOf the container id of a folder's name, undefined if it is none of ours */
export function watchKeepers(
  folder: string,
  idOf: (name: string) => Promise<string | undefined>,
  changed: (id: string) => void,
): () => void {
  const seen = new Map<string, Seen>();
  let ended = false;
  let busy = false;
  let again = false;

  const look = async (): Promise<void> => {
    again = true;
    if (busy) return; // the look under way takes another turn
    busy = true;
    while (again && !ended) {
      again = false;
      const names = await readdir(folder).catch((): string[] => []); // not there before the first start
      for (const name of new Set([...names, ...seen.keys()])) {
        await lookAt(name, names.includes(name));
      }
    }
    busy = false;
  };

  const lookAt = async (name: string, isThere: boolean): Promise<void> => {
    const before = seen.get(name);
    const stamp = isThere ? await stampOf(join(folder, name, 'status.json')) : 'gone';
    if (!isThere) {
      before?.watcher?.close();
      seen.delete(name);
    } else if (before === undefined) {
      seen.set(name, { stamp, watcher: watcherOf(join(folder, name)) });
    } else {
      seen.set(name, { ...before, stamp });
    }
    if (before?.stamp === stamp || ended) return;
    const id = await idOf(name);
    if (id !== undefined && !ended) changed(id);
  };

  const watcherOf = (path: string): FSWatcher | undefined => {
    if (seen.size >= watchCountMax) return undefined;
    try {
      const watcher = watch(path, () => void look());
      watcher.on('error', () => watcher.close());
      return watcher;
    } catch {
      return undefined; // no watches left on this device: the poll sees it
    }
  };

  const parent = watcherOf(folder); // tells of new runDirs
  const timer = setInterval(() => void look(), pollMs);
  timer.unref();
  void look();
  return () => {
    ended = true;
    clearInterval(timer);
    parent?.close();
    for (const { watcher } of seen.values()) watcher?.close();
    seen.clear();
  };
}

async function stampOf(path: string): Promise<string> {
  try {
    const stats = await stat(path, { bigint: true });
    return `${stats.ino}:${stats.mtimeNs}:${stats.size}`;
  } catch {
    return 'none';
  }
}
