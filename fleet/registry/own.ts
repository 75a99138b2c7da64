// SPDX-License-Identifier: Apache-2.0
// Which blobs are a repository's own: those that its manifests name, and those that were sent or mounted into it
// lately. Blobs lie in one store, so this is what keeps a user of one repository from reading another's by digest.

import type { Digest } from '../../protocol/name.js';
import type { Blobs } from './blobs.js';
import { namesOf } from './prune.js';
import type { Repository } from './repository.js';

/** What was sent and is not named by a manifest after so long has to be sent again. */
const freshMs = 24 * 3_600_000;
const freshMax = 20_000;

export class Own {
  readonly #blobs: Blobs;
  readonly #fresh = new Map<string, number>();
  readonly #named = new WeakMap<object, ReadonlySet<Digest>>();

  constructor(blobs: Blobs) {
    this.#blobs = blobs;
  }

  /** Somebody sent the blob to the repository, or mounted it there. */
  note(repository: string, digest: Digest): void {
    if (this.#fresh.size >= freshMax) this.#fresh.clear();
    this.#fresh.set(`${repository} ${digest}`, performance.now() + freshMs);
  }

  forget(repository: string, digest: Digest): void {
    this.#fresh.delete(`${repository} ${digest}`);
  }

  async has(repository: Repository, digest: Digest): Promise<boolean> {
    const until = this.#fresh.get(`${repository.name} ${digest}`);
    if (until !== undefined && until > performance.now()) return true;
    return this.names(repository, digest);
  }

  /** Whether a manifest of the repository names it, or is it. @throws STORE_CORRUPT */
  async names(repository: Repository, digest: Digest): Promise<boolean> {
    const { stamp } = repository;
    let named = this.#named.get(stamp);
    if (named === undefined) {
      named = await this.#read(repository);
      this.#named.set(stamp, named);
    }
    return named.has(digest);
  }

  async #read(repository: Repository): Promise<ReadonlySet<Digest>> {
    const found = new Set<Digest>();
    for (const { digest } of repository.entries) {
      found.add(digest);
      for (const one of await namesOf(digest, this.#blobs)) found.add(one);
    }
    return found;
  }
}
