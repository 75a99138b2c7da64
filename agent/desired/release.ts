// SPDX-License-Identifier: Apache-2.0
// Whether a release's document is kept: signed by a release key, and the very one that the accepted
// assignment names, by digest, app and counter. Anything else is dropped, however well it is signed:
// the store is not filled by replays.

import { createHash } from 'node:crypto';
import { payloadTypes } from '../../protocol/envelope.js';
import type { Digest } from '../../protocol/name.js';
import { release as releaseCheck } from '../../protocol/release.js';
import type { Store } from '../store/types.js';
import type { Believer } from './assignment.js';
import { readSigned, refused } from './signed.js';

export const releaseBytesMax = 160 * 1024;

/** Resolves with the release's digest once it is durable, or with 'known'. @throws DESIRED_FORM, _SIGNATURE, _UNASKED, _MISMATCH */
export async function acceptRelease(
  text: string,
  context: { believer: Believer; store: Pick<Store, 'desired'> },
): Promise<{ is: 'new' | 'known'; digest: Digest }> {
  const { believer, store } = context;
  const { document, envelope, payload } = readSigned(text, {
    what: 'release',
    payloadType: payloadTypes.release,
    keys: believer.trust.release,
    check: releaseCheck,
    bytesMax: releaseBytesMax,
  });
  const digest: Digest = `sha256:${createHash('sha256').update(payload).digest('hex')}`;
  const asked = (await store.desired.assignment())?.assignment.release;
  if (asked?.digest !== digest) {
    throw refused('DESIRED_UNASKED', `release: no assignment names ${digest}`, { digest });
  }
  if (document.app !== asked.app || document.counter !== asked.counter) {
    const found = `${document.app} ${document.counter}`;
    const message = `release ${digest}: it is ${found}, assigned is ${asked.app} ${asked.counter}`;
    throw refused('DESIRED_MISMATCH', message, { digest, release: digest });
  }
  if ((await store.desired.release(digest)) !== undefined) return { is: 'known', digest };
  await store.desired.putRelease(digest, document, envelope);
  return { is: 'new', digest };
}

/** The release that the assignment names and the device lacks the document of. */
export async function missingReleases(store: Pick<Store, 'desired'>): Promise<Digest[]> {
  const asked = (await store.desired.assignment())?.assignment.release;
  if (asked === undefined || asked === null) return [];
  return (await store.desired.release(asked.digest)) === undefined ? [asked.digest] : [];
}
