// SPDX-License-Identifier: Apache-2.0
// Removes blobs that no manifest of any repository names. A push sends blobs before the manifest that names
// them, so a blob that was touched lately stays. What cannot be read as a manifest stops the whole prune:
// better too much on the disk than too little.

import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { array, object, optional } from '../../protocol/check.js';
import { CodedError } from '../../protocol/error.js';
import { type Digest, digest, hexOf } from '../../protocol/name.js';
import type { Blobs } from './blobs.js';
import type { Repository } from './repository.js';

const named = object({ digest }, { open: true });
const manifest = object(
  {
    config: optional(named),
    layers: optional(array(named, 1024)),
    manifests: optional(array(named, 1024)),
  },
  { open: true },
);

/** @throws STORE_CORRUPT */
export async function prune(
  repositories: readonly Repository[],
  blobs: Blobs,
  unusedMs: number,
): Promise<{ count: number; bytes: number }> {
  // Before the listing: what is put from here on was touched after it.
  const oldest = Date.now() - unusedMs;
  const used = new Set<string>();
  const listed = await readdir(blobs.folder);
  for (const repository of repositories) {
    for (const entry of repository.entries) {
      used.add(hexOf(entry.digest));
      for (const digest_ of await namesOf(entry.digest, blobs)) used.add(hexOf(digest_));
    }
  }
  let count = 0;
  let bytes = 0;
  for (const name of listed) {
    if (used.has(name)) continue;
    const path = join(blobs.folder, name);
    const found = await stat(path).catch(() => undefined);
    if (found === undefined || found.mtimeMs >= oldest) continue;
    await rm(path, { force: true });
    count += 1;
    bytes += found.size;
  }
  return { count, bytes };
}

/** What a manifest names: config, layers, manifests. @throws STORE_CORRUPT */
export async function namesOf(of: Digest, blobs: Blobs): Promise<Digest[]> {
  const bytes = await blobs.read(of);
  if (bytes === undefined) {
    throw new CodedError('STORE_CORRUPT', `${blobs.path(of)} is missing`, { digest: of });
  }
  const content = manifest(JSON.parse(String(bytes)), of);
  const all = [...(content.layers ?? []), ...(content.manifests ?? [])];
  if (content.config !== undefined) all.push(content.config);
  return all.map((item) => item.digest);
}
