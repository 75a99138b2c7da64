// SPDX-License-Identifier: Apache-2.0
// What the local socket sees of the loop: status and why only look; pull and clear are the two effects that a
// person may ask for.

import { digestOf } from '../images/oci/document.js';
import { parseReference } from '../images/oci/reference.js';
import { openRegistry, type RegistryOptions } from '../images/registry/client.js';
import type { Digest } from '../protocol/name.js';
import type { LoopView } from './local/types.js';
import type { Loop, Seen } from './loop.js';
import type { Pull } from './pull/types.js';
import type { SaidFacts, Speaker } from './report/speak.js';
import { statusOf, type Who, whyOf } from './report/status.js';
import type { Store } from './store/types.js';

export interface ViewParts {
  readonly store: Store;
  readonly loop: Loop;
  readonly pull: Pull;
  readonly registry: RegistryOptions;
  readonly version: string;
  readonly outside: {
    readonly who: Omit<Who, 'agent'>;
    readonly speaker: Pick<Speaker, 'draft'>;
    factsOf(seen: Seen): SaidFacts;
  };
}

/** Lines of `wherry why`. */
const eventCountMax = 50;

export function viewOf(parts: ViewParts): LoopView {
  const { store, loop, pull, outside, version } = parts;
  return {
    status: async () => {
      const seen = await loop.seen();
      const reported = outside.speaker.draft(outside.factsOf(seen));
      return statusOf({ agent: version, ...outside.who }, reported, seen.observed);
    },
    why: async () => {
      const seen = await loop.seen();
      const reported = outside.speaker.draft(outside.factsOf(seen));
      return whyOf(reported, seen.observed, await store.journal.recent(eventCountMax));
    },
    pull: (reference, { signal, onProgress }) =>
      loop.holding(async () => {
        const digest = await resolveDigest(reference, parts.registry, signal);
        const pulled = await pull.image(
          { reference, digest },
          {
            ...(signal === undefined ? {} : { signal }),
            ...(onProgress === undefined ? {} : { onProgress }),
          },
        );
        const { bytesFetched, imageBytes } = pulled;
        return { digest, reference, bytesFetched, imageBytes };
      }),
    clear: async (release) => {
      await store.verdicts.clear(release);
      await store.journal.clearBackoffs();
      loop.ring();
    },
  };
}

async function resolveDigest(
  text: string,
  options: RegistryOptions,
  signal: AbortSignal | undefined,
): Promise<Digest> {
  const reference = parseReference(text);
  if (reference.digest !== undefined) return reference.digest;
  const registry = openRegistry(options);
  try {
    return digestOf((await registry.manifest(reference, signal)).bytes);
  } finally {
    registry.close();
  }
}
