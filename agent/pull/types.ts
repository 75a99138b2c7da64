// SPDX-License-Identifier: Apache-2.0
// What pull offers to apply.

import type { ImageConfig } from '../../images/oci/config.js';
import type { Digest } from '../../protocol/name.js';

export interface PulledImage {
  /** As asked for: of the index, or of the manifest. */
  readonly digest: Digest;
  readonly reference: string;
  /** Of this platform's manifest. */
  readonly manifest: Digest;
  readonly config: ImageConfig;
  /** Lowest first. */
  readonly layers: ReadonlyArray<{ diffId: Digest; dir: string; unpackedBytes: number }>;
  /** What crossed the network for it: bodies and headers, TLS excluded. */
  readonly bytesFetched: number;
  /** What a whole pull would have fetched: manifests, config and all layers as compressed. */
  readonly imageBytes: number;
}

export interface PullProgress {
  readonly image: Digest;
  readonly bytesDone: number;
  readonly bytesTotal: number;
}

export interface Pull {
  /**
   * Fetches what is lacking, unpacks and verifies it, and records the image in the store. Layers that are
   * there are not fetched. @throws IMAGE_*, REGISTRY_*, LAYER_*, NO_SPACE
   */
  image(
    wanted: { reference: string; digest: Digest },
    options: { signal?: AbortSignal; onProgress?: (progress: PullProgress) => void },
  ): Promise<PulledImage>;
}
