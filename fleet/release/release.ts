// SPDX-License-Identifier: Apache-2.0
// Drafts become a release: each image reference is resolved to the digest of its index, and the whole passes
// the same check that a device applies. It signs nothing and stores nothing.

import { createHash } from 'node:crypto';
import { CodedError } from '../../protocol/error.js';
import type { Digest } from '../../protocol/name.js';
import { type Release, release as releaseCheck } from '../../protocol/release.js';
import type { Compose } from './compose.js';
import type { Draft } from './draft.js';

/** Largest payload: base64 and the envelope around it stay within what a broker carries (docs/protocol.md). */
export const releaseBytesMax = 64 * 1024;

/** The reference as it stands in the release, and the digest that it has now. @throws IMAGE_*, REGISTRY_* */
export type Resolve = (
  reference: string,
  platform?: string,
) => Promise<{ reference: string; digest: Digest }>;

export interface Naming {
  readonly app: string;
  readonly version: string;
  readonly counter: number;
  /** RFC 3339. */
  readonly createdAt: string;
}

/** The release and the bytes that are signed. @throws SHAPE_BAD, RELEASE_LARGE and what `resolve` throws */
export async function makeRelease(
  compose: Compose,
  naming: Naming,
  resolve: Resolve,
): Promise<{ release: Release; bytes: Buffer; digest: Digest }> {
  const images = new Map<string, Awaited<ReturnType<Resolve>>>();
  for (const draft of compose.drafts) {
    const key = imageKey(draft);
    if (!images.has(key)) images.set(key, await resolve(draft.reference, draft.platform));
  }
  const workloads = compose.drafts.map((draft) => workloadOf(draft, images.get(imageKey(draft))));
  const { gate } = compose;
  const document = { kind: 'release/v1', ...naming, gate, workloads, ...partsOf(compose) };
  const release = releaseCheck(document, 'release');
  const bytes = Buffer.from(JSON.stringify(release));
  if (bytes.length > releaseBytesMax) {
    throw new CodedError(
      'RELEASE_LARGE',
      `the release has ${bytes.length} bytes, ${releaseBytesMax} are allowed`,
      { bytes: bytes.length },
    );
  }
  return { release, bytes, digest: digestOf(bytes) };
}

export function digestOf(bytes: Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function imageKey({ reference, platform = '' }: Draft): string {
  return `${platform} ${reference}`;
}

function partsOf({ networks, volumes, configs }: Compose): object {
  return {
    ...(networks.length === 0 ? {} : { networks }),
    ...(volumes.length === 0 ? {} : { volumes }),
    ...(configs.length === 0 ? {} : { configs }),
  };
}

function workloadOf(draft: Draft, image: unknown): object {
  const { reference: _written, line: _line, platform: _platform, ...rest } = draft;
  return { ...rest, image };
}
