// SPDX-License-Identifier: Apache-2.0
// Blobs on their way in. Each upload is a file under uploads/ and a running hash in memory; the bytes go from
// the socket to the file as they come. Uploads do not outlive the program: what is left is removed at start.
// Their count, size and idle time are bounded.

import { createHash, type Hash, randomBytes } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { makeFolder } from '../../adapters/durable.js';
import type { Digest } from '../../protocol/name.js';
import type { Blobs } from './blobs.js';
import { Refusal, type RegistryBounds } from './types.js';

export interface Upload {
  readonly id: string;
  readonly name: string;
  readonly path: string;
  readonly file: FileHandle;
  readonly hash: Hash;
  /** Bytes that are written and hashed. */
  offset: number;
  isBusy: boolean;
  touchedAtMs: number;
}

export class Uploads {
  readonly #folder: string;
  readonly #blobs: Blobs;
  readonly #bounds: RegistryBounds;
  readonly #open = new Map<string, Upload>();
  readonly #timer: NodeJS.Timeout;

  constructor(dir: string, blobs: Blobs, bounds: RegistryBounds) {
    this.#folder = join(dir, 'uploads');
    this.#blobs = blobs;
    this.#bounds = bounds;
    this.#timer = setInterval(() => void this.#expire(), Math.min(60_000, bounds.uploadIdleMs));
    this.#timer.unref();
  }

  /** Removes what an earlier run left. */
  async clean(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
    await makeFolder(this.#folder, 0o700);
  }

  async create(name: string): Promise<Upload> {
    if (this.#open.size >= this.#bounds.uploadsMax) {
      const text = `${this.#open.size} uploads are open already`;
      throw new Refusal(429, 'TOOMANYREQUESTS', text, { 'retry-after': '5' });
    }
    const id = randomBytes(16).toString('hex');
    const path = join(this.#folder, id);
    const upload: Upload = {
      id,
      name,
      path,
      file: await open(path, 'wx', 0o644),
      hash: createHash('sha256'),
      offset: 0,
      isBusy: false,
      touchedAtMs: performance.now(),
    };
    this.#open.set(id, upload);
    return upload;
  }

  /** @throws Refusal BLOB_UPLOAD_UNKNOWN */
  get(name: string, id: string): Upload {
    const upload = this.#open.get(id);
    if (upload === undefined || upload.name !== name) {
      throw new Refusal(404, 'BLOB_UPLOAD_UNKNOWN', 'there is no such upload');
    }
    return upload;
  }

  /** Appends the request's body. What came before a broken connection counts, so that it can be resumed. */
  async append(upload: Upload, request: IncomingMessage): Promise<void> {
    if (upload.isBusy)
      throw new Refusal(409, 'BLOB_UPLOAD_INVALID', 'the upload is being written to');
    upload.isBusy = true;
    try {
      // Not destroyed on the way out: the refusal still has to be sent.
      for await (const chunk of request.iterator({
        destroyOnReturn: false,
      }) as AsyncIterable<Buffer>) {
        if (upload.offset + chunk.length > this.#bounds.blobBytesMax) {
          throw new Refusal(413, 'SIZE_INVALID', 'the blob is longer than this registry takes');
        }
        await writeAll(upload.file, chunk);
        upload.hash.update(chunk);
        upload.offset += chunk.length;
        upload.touchedAtMs = performance.now();
      }
    } finally {
      upload.isBusy = false;
    }
  }

  /** Checks, syncs and gives the blob to the store; the upload is over either way. @throws Refusal DIGEST_INVALID */
  async finish(upload: Upload, digest: Digest): Promise<void> {
    const found = `sha256:${upload.hash.digest('hex')}`;
    if (found !== digest) {
      await this.drop(upload);
      throw new Refusal(400, 'DIGEST_INVALID', `the bytes have the digest ${found}, not ${digest}`);
    }
    try {
      await upload.file.sync();
      await upload.file.close();
      await this.#blobs.adopt(digest, upload.path);
    } finally {
      await this.drop(upload);
    }
  }

  async drop(upload: Upload): Promise<void> {
    this.#open.delete(upload.id);
    await upload.file.close().catch(() => undefined); // closed already when it was finished
    await rm(upload.path, { force: true });
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all([...this.#open.values()].map((upload) => this.drop(upload)));
  }

  async #expire(): Promise<void> {
    const oldest = performance.now() - this.#bounds.uploadIdleMs;
    for (const upload of this.#open.values()) {
      if (!upload.isBusy && upload.touchedAtMs < oldest) await this.drop(upload);
    }
  }
}

async function writeAll(file: FileHandle, bytes: Buffer): Promise<void> {
  let at = 0;
  while (at < bytes.length) at += (await file.write(bytes, at)).bytesWritten;
}
