// SPDX-License-Identifier: Apache-2.0
// What the local socket needs of the loop. The loop gives a LoopView to serveLocal(); nothing here lets a
// reader start an effect: status() and why() only look, pull() and clear() are the two asked-for effects.

import type { LocalStatus, LocalWhy } from '../../protocol/local.js';
import type { Digest } from '../../protocol/name.js';

/** What POST /v1/pull ends with. */
export interface LocalPulled {
  /** As asked for: of the index, or of the manifest. */
  readonly digest: Digest;
  readonly reference: string;
  readonly bytesFetched: number;
  readonly imageBytes: number;
}

export interface LocalPullProgress {
  readonly bytesDone: number;
  readonly bytesTotal: number;
}

export interface LoopView {
  status(): Promise<LocalStatus>;
  /** Newest event first. */
  why(): Promise<LocalWhy>;
  /** Fetches an image by tag or by digest (`host[:port]/repository[:tag][@digest]`). @throws IMAGE_*, REGISTRY_*, … */
  pull(
    reference: string,
    options: { signal?: AbortSignal; onProgress?: (progress: LocalPullProgress) => void },
  ): Promise<LocalPulled>;
  /** The operator's word: a release that failed here may be tried again. The digest is whole. */
  clear(release: Digest): Promise<void>;
}
