// SPDX-License-Identifier: Apache-2.0
// The blobs/sha256 folder of a layout. A blob is written beside, checked, synced and renamed, so that one
// that is there is whole; what is read is checked again, since disks and people change files.

import { createHash, type Hash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, makeFolder, syncFolder } from '../../adapters/durable.js';
import { CodedError } from '../../protocol/error.js';
import { type Digest, hexOf } from '../../protocol/name.js';
import { checkBytes, digestOf, documentBytesMax, wrongBytes } from '../oci/document.js';
import { layoutError } from './failure.js';

export interface BlobName {
  readonly digest: Digest;
  readonly size: number;
}

const readBytes = 128 * 1024;

export interface LayoutBlobs {
  /** Bytes of the blob, or undefined where there is none. */
  sizeOf(digest: Digest): Promise<number | undefined>;
  /** A small blob, checked. @throws IMAGE_UNKNOWN, IMAGE_DIGEST, IMAGE_LIMIT past 4 MiB */
  read(digest: Digest): Promise<Buffer>;
  /** Streams bytes `from` up to before `to`; unchecked unless whole. @throws IMAGE_UNKNOWN, IMAGE_DIGEST */
  stream(blob: BlobName, from?: number, to?: number): AsyncGenerator<Buffer>;
  /** @throws NO_SPACE */
  write(bytes: Uint8Array): Promise<BlobName>;
  /** Takes a stream in; nothing is there unless it has the digest and size. @throws IMAGE_DIGEST, NO_SPACE */
  writeFrom(blob: BlobName, source: AsyncIterable<Uint8Array>): Promise<void>;
  /** A path to write a new blob to, and what makes it a blob. The caller has checked its digest. */
  stage(): { path: string; commit(digest: Digest): Promise<void>; discard(): Promise<void> };
  list(): Promise<BlobName[]>;
  remove(digest: Digest): Promise<void>;
}

/** `dir`: the layout's folder, there already. */
export function layoutBlobs(dir: string): LayoutBlobs {
  const folder = join(dir, 'blobs', 'sha256');
  const pathOf = (digest: Digest): string => join(folder, hexOf(digest));

  const sizeOf = async (digest: Digest): Promise<number | undefined> => {
    try {
      return (await stat(pathOf(digest))).size;
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  };

  const stage: LayoutBlobs['stage'] = () => {
    const path = join(folder, `.${randomBytes(8).toString('hex')}.part`);
    return {
      path,
      commit: async (digest) => {
        await syncFile(path);
        await rename(path, pathOf(digest));
        await syncFolder(folder);
      },
      discard: async () => rm(path, { force: true }),
    };
  };

  const writeFrom = async (blob: BlobName, source: AsyncIterable<Uint8Array>): Promise<void> => {
    await makeFolder(folder);
    const staged = stage();
    try {
      await fill(staged.path, blob, source);
      await staged.commit(blob.digest);
    } catch (error) {
      await staged.discard();
      throw layoutError(error, dir);
    }
  };

  return {
    sizeOf,
    stage,
    writeFrom,
    read: async (digest) => {
      const size = await sizeOf(digest);
      if (size === undefined) throw unknownBlob(digest, dir);
      if (size > documentBytesMax) {
        throw new CodedError('IMAGE_LIMIT', `${digest} is longer than ${documentBytesMax} bytes`);
      }
      const chunks: Buffer[] = [];
      for await (const chunk of readFrom(pathOf(digest), 0, size)) chunks.push(chunk);
      const bytes = Buffer.concat(chunks);
      checkBytes(bytes, { digest }, 'the blob');
      return bytes;
    },
    stream: async function* (blob, from = 0, to = blob.size) {
      const size = await sizeOf(blob.digest);
      if (size === undefined) throw unknownBlob(blob.digest, dir);
      if (size !== blob.size) {
        throw wrongBytes('the blob', blob.digest, `has ${size} bytes, not ${blob.size}`);
      }
      const hash = from === 0 && to === size ? createHash('sha256') : undefined;
      for await (const chunk of readFrom(pathOf(blob.digest), from, to)) {
        hash?.update(chunk);
        yield chunk;
      }
      if (hash !== undefined) checkHash(hash, blob.digest);
    },
    write: async (bytes) => {
      const blob = { digest: digestOf(bytes), size: bytes.length };
      await writeFrom(blob, one(bytes));
      return blob;
    },
    list: async () => list(folder),
    remove: async (digest) => rm(pathOf(digest), { force: true }),
  };
}

async function fill(
  path: string,
  blob: BlobName,
  source: AsyncIterable<Uint8Array>,
): Promise<void> {
  const file: FileHandle = await open(path, 'wx', 0o644);
  try {
    const hash = createHash('sha256');
    let size = 0;
    for await (const chunk of source) {
      size += chunk.length;
      if (size > blob.size)
        throw wrongBytes('the blob', blob.digest, `is longer than ${blob.size}`);
      hash.update(chunk);
      await file.writeFile(chunk);
    }
    if (size !== blob.size) throw wrongBytes('the blob', blob.digest, `has only ${size} bytes`);
    checkHash(hash, blob.digest);
  } finally {
    await file.close();
  }
}

function checkHash(hash: Hash, digest: Digest): void {
  const found = hash.digest('hex');
  if (found !== hexOf(digest))
    throw wrongBytes('the blob', digest, `has the digest sha256:${found}`);
}

async function* readFrom(path: string, from: number, to: number): AsyncGenerator<Buffer> {
  if (to <= from) return;
  const stream = createReadStream(path, { start: from, end: to - 1, highWaterMark: readBytes });
  yield* stream as AsyncIterable<Buffer>;
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

async function list(folder: string): Promise<BlobName[]> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
  const blobs: BlobName[] = [];
  for (const name of names.filter((hex) => /^[0-9a-f]{64}$/.test(hex))) {
    blobs.push({ digest: `sha256:${name}`, size: (await stat(join(folder, name))).size });
  }
  return blobs;
}

function unknownBlob(digest: Digest, dir: string): CodedError {
  return new CodedError('IMAGE_UNKNOWN', `the layout ${dir} has no blob ${digest}`, {
    digest,
    dir,
  });
}
