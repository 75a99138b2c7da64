// SPDX-License-Identifier: Apache-2.0
// The blobs on the disk: blobs/sha256/<hex>, shared by all repositories, each stored once. A blob is there
// whole or not at all: it is synced, then renamed into its place, then the folder is synced.

import { randomBytes } from 'node:crypto';
import { createReadStream, type Stats } from 'node:fs';
import { rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { errnoOf, readIfThere, syncFolder, writeDurable } from '../../adapters/durable.js';
import { type Digest, hexOf } from '../../protocol/name.js';

export class Blobs {
  readonly folder: string;
  readonly #uploads: string;

  constructor(dir: string) {
    this.folder = join(dir, 'blobs/sha256');
    this.#uploads = join(dir, 'uploads');
  }

  path(digest: Digest): string {
    return join(this.folder, hexOf(digest));
  }

  /** Bytes of the blob; undefined where it is not there. */
  async size(digest: Digest): Promise<number | undefined> {
    return (await this.#stat(digest))?.size;
  }

  /** As size(), and keeps prune() from it for a while: somebody builds upon it now. */
  async touch(digest: Digest): Promise<number | undefined> {
    const found = await this.#stat(digest);
    if (found === undefined) return undefined;
    const now = new Date();
    await utimes(this.path(digest), now, now).catch(() => undefined);
    return found.size;
  }

  /** `end` is the last byte's place, as in a Range. */
  stream(digest: Digest, start: number, end: number): Readable {
    return createReadStream(this.path(digest), { start, end, highWaterMark: 256 * 1024 });
  }

  read(digest: Digest): Promise<Buffer | undefined> {
    return readIfThere(this.path(digest));
  }

  /** Small ones only. @throws NO_SPACE */
  async write(digest: Digest, bytes: Buffer): Promise<void> {
    if ((await this.touch(digest)) !== undefined) return;
    // A name of its own: the same manifest may be pushed by two at once.
    const file = join(this.#uploads, `manifest-${randomBytes(8).toString('hex')}`);
    await writeDurable(file, bytes);
    await this.adopt(digest, file);
  }

  /** Takes a synced file that was checked against the digest. */
  async adopt(digest: Digest, file: string): Promise<void> {
    if ((await this.touch(digest)) !== undefined) {
      await rm(file, { force: true });
      return;
    }
    await rename(file, this.path(digest));
    await syncFolder(this.folder);
  }

  /** Now, whoever names it: the caller has looked. */
  async remove(digest: Digest): Promise<void> {
    await rm(this.path(digest), { force: true });
  }

  async #stat(digest: Digest): Promise<Stats | undefined> {
    try {
      return await stat(this.path(digest));
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }
}
