// SPDX-License-Identifier: Apache-2.0
// The log files of one container, oldest first, held open: a rotation in between renames them and loses
// nothing. Names: NAME is written to, NAME.1 is the newest that was put aside, NAME.2 older.

import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../../adapters/durable.js';

const fileCountMax = 128;
const attemptsMax = 10;
const blockBytes = 64 * 1024;
/** A line longer than this is cut: the keeper writes at most 16 KiB of text a line. */
const lineBytesMax = 64 * 1024;

export interface LogFile {
  readonly handle: FileHandle;
  readonly inode: number;
}

/**
 * Without a log folder: none. The caller closes them. A rotation while they are opened would leave one out, so
 * they are looked at again until the names stood still.
 */
export async function openLogFiles(folder: string): Promise<LogFile[]> {
  for (let attempt = 1; ; attempt += 1) {
    const names = (await namesIn(folder)).slice(-fileCountMax);
    const files = await openAll(folder, names);
    if (attempt === attemptsMax || (await areStill(folder, names, files))) return files;
    await closeLogFiles(files);
  }
}

async function openAll(folder: string, names: readonly string[]): Promise<LogFile[]> {
  const files: LogFile[] = [];
  for (const name of names) {
    const handle = await openIfThere(join(folder, name));
    if (handle === undefined) continue;
    const inode = (await handle.stat()).ino;
    // A rotation in between shows one file under two names.
    if (files.some((file) => file.inode === inode)) await handle.close();
    else files.push({ handle, inode });
  }
  return files;
}

async function areStill(
  folder: string,
  names: readonly string[],
  files: readonly LogFile[],
): Promise<boolean> {
  if ((await namesIn(folder)).slice(-fileCountMax).join() !== names.join()) return false;
  const inodes = await Promise.all(names.map((name) => inodeOf(join(folder, name))));
  return inodes.join() === files.map((file) => file.inode).join();
}

async function inodeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).ino;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

export async function closeLogFiles(files: readonly LogFile[]): Promise<void> {
  await Promise.all(files.map((file) => file.handle.close()));
}

async function namesIn(folder: string): Promise<string[]> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
  const ageOf = (name: string): number => Number(/\.(\d+)$/.exec(name)?.[1] ?? 0);
  return names.filter((name) => /\.log(\.\d+)?$/.test(name)).sort((a, b) => ageOf(b) - ageOf(a));
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Reads whole lines of one file from where it stands to its end; can be asked again when it has grown. */
export class LineReader {
  readonly #handle: FileHandle;
  readonly #block = Buffer.allocUnsafe(blockBytes);
  #at = 0;
  #rest: Buffer = Buffer.alloc(0);

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async *lines(): AsyncGenerator<string> {
    while (true) {
      const { bytesRead } = await this.#handle.read(this.#block, 0, blockBytes, this.#at);
      if (bytesRead === 0) return;
      this.#at += bytesRead;
      let chunk: Buffer = Buffer.concat([this.#rest, this.#block.subarray(0, bytesRead)]);
      let end = chunk.indexOf(10);
      while (end >= 0) {
        yield chunk.toString('utf8', 0, Math.min(end, lineBytesMax));
        chunk = chunk.subarray(end + 1);
        end = chunk.indexOf(10);
      }
      this.#rest = Buffer.from(chunk.subarray(0, lineBytesMax));
    }
  }
}
