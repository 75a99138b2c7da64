// SPDX-License-Identifier: Apache-2.0
// Folders that a layer does not bring itself take owner, mode and time from the layers below: else one that was made
// for what is in it would mask, say, the 1777 of a lower /tmp. `list` is what wherry-layer unpack wrote. Only
// folders of the layer that are real folders are changed; links of other layers are not followed.

import { createReadStream } from 'node:fs';
import { chmod, lchown, lstat, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errnoOf } from '../../adapters/durable.js';

/** wherry-layer writes no longer list. */
const listBytesMax = 16 * 1024 * 1024;
const pathBytesMax = 4096 + 1;

/** `lowers`: the folders of the layers below, topmost first. Gives how many folders were changed. */
export async function adoptParents(options: {
  dir: string;
  list: string;
  lowers: readonly string[];
  signal?: AbortSignal;
}): Promise<number> {
  const { dir, list, lowers, signal } = options;
  if (lowers.length === 0) return 0;
  const given = await givenIn(list);
  /** In which layers below the folder is there; those without a trace of it are left out. */
  const found = new Map<string, readonly string[]>([['.', lowers]]);
  let count = 0;
  for await (const line of linesOf(list)) {
    signal?.throwIfAborted();
    const path = line.slice(1);
    if (!line.startsWith('+') || found.has(path)) continue;
    const [nearest] = await belowOf(path, found);
    if (nearest === undefined || given.has(path)) continue;
    if (await adopt(join(dir, path), join(nearest, path))) count += 1;
  }
  return count;
}

/** Folders that an entry of the layer brought after all. */
async function givenIn(list: string): Promise<ReadonlySet<string>> {
  const given = new Set<string>();
  for await (const line of linesOf(list)) {
    if (line.startsWith('-')) given.add(line.slice(1));
  }
  return given;
}

/** Parents come first in the list but for those that the layer brings itself. */
async function belowOf(
  path: string,
  found: Map<string, readonly string[]>,
): Promise<readonly string[]> {
  const known = found.get(path);
  if (known !== undefined) return known;
  const below: string[] = [];
  for (const lower of await belowOf(dirname(path), found)) {
    const kind = await kindOf(join(lower, path));
    if (kind === 'folder') below.push(lower);
    if (kind === 'other') break; // a whiteout, or a file: what is below is hidden
  }
  if (below.length > 0) found.set(path, below);
  return below;
}

async function kindOf(path: string): Promise<'folder' | 'other' | 'nothing'> {
  try {
    return (await lstat(path)).isDirectory() ? 'folder' : 'other';
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 'nothing';
    throw error;
  }
}

async function adopt(path: string, from: string): Promise<boolean> {
  const own = await lstat(path).catch(() => undefined);
  if (own?.isDirectory() !== true) return false; // a later entry took its place
  const { mode, uid, gid, atime, mtime } = await lstat(from);
  await lchown(path, uid, gid);
  await chmod(path, mode & 0o7777);
  await utimes(path, atime, mtime);
  return true;
}

async function* linesOf(list: string): AsyncGenerator<string> {
  let rest = Buffer.alloc(0);
  let length = 0;
  for await (const chunk of createReadStream(list) as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > listBytesMax) throw new Error(`${list} is longer than ${listBytesMax} bytes`);
    const bytes = Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = bytes.indexOf(0); end >= 0; end = bytes.indexOf(0, start)) {
      yield bytes.toString('utf8', start, end);
      start = end + 1;
    }
    rest = Buffer.from(bytes.subarray(start));
    if (rest.length > pathBytesMax) throw new Error(`${list} has a path that is too long`);
  }
}
