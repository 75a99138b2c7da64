// SPDX-License-Identifier: Apache-2.0
// Small content by digest, in files: <state>/blobs/sha256/<hex>. What is read is checked again, so that a
// worn-out medium means another fetch and never a wrong container.

import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { readIfThere, writeDurable } from '../../adapters/durable.js';
import { CodedError } from '../../protocol/error.js';
import { type Digest, hexOf } from '../../protocol/name.js';
import type { Blobs } from './types.js';

export const blobBytesMax = 4 * 1024 * 1024;

export interface RemovableBlobs extends Blobs {
  remove(digest: Digest): Promise<void>;
}

export function blobsIn(folder: string): RemovableBlobs {
  const pathOf = (digest: Digest): string => join(folder, hexOf(digest));
  return {
    read: async (digest) => {
      const bytes = await readIfThere(pathOf(digest));
      if (bytes === undefined || digestOf(bytes) === digest) return bytes;
      await rm(pathOf(digest), { force: true });
      return undefined; // it is fetched again where it is needed
    },
    write: async (digest, bytes) => {
      if (bytes.length > blobBytesMax || digestOf(bytes) !== digest) {
        throw new CodedError('IMAGE_DIGEST', `${bytes.length} bytes are not those of ${digest}`, {
          digest,
          bytes: bytes.length,
        });
      }
      await writeDurable(pathOf(digest), bytes);
    },
    remove: (digest) => rm(pathOf(digest), { force: true }),
  };
}

function digestOf(bytes: Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
