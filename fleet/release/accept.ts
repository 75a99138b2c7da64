// SPDX-License-Identifier: Apache-2.0
// Checks an uploaded release as a device will: signed by a trusted release key, in form, within the size.

import { verifyEnvelope } from '../../images/sign/envelope.js';
import { type Envelope, payloadTypes } from '../../protocol/envelope.js';
import { CodedError } from '../../protocol/error.js';
import { parseJson } from '../../protocol/json.js';
import { type Release, release as releaseCheck } from '../../protocol/release.js';
import type { TrustedKey } from '../../protocol/trust.js';
import type { StoredRelease } from '../store/releases.js';
import { digestOf, releaseBytesMax } from './release.js';

/** @throws SIGN_*, JSON_BAD, SHAPE_BAD, RELEASE_LARGE */
export function acceptRelease(
  envelope: Envelope,
  keys: readonly TrustedKey[],
): Omit<StoredRelease, 'retained'> {
  const bytes = verifyEnvelope(envelope, payloadTypes.release, keys);
  if (bytes.length > releaseBytesMax) {
    const { length } = bytes;
    const what = `the release has ${length} bytes, ${releaseBytesMax} are allowed`;
    throw new CodedError('RELEASE_LARGE', what, { bytes: length });
  }
  const { app, version, counter, createdAt } = readRelease(bytes);
  const keyid = envelope.signatures.find((one) => keys.some((key) => key.keyid === one.keyid));
  return {
    digest: digestOf(bytes),
    app,
    version,
    counter,
    keyid: keyid?.keyid ?? '',
    envelope: JSON.stringify(envelope),
    createdAt,
  };
}

/** The release in bytes that were verified. @throws JSON_BAD, SHAPE_BAD */
export function readRelease(bytes: Uint8Array): Release {
  return releaseCheck(parseJson(Buffer.from(bytes).toString('utf8'), 'release'), 'release');
}

/** The release of an envelope that was verified when it was stored. */
export function storedRelease(stored: Pick<StoredRelease, 'envelope'>): Release {
  const { payload } = JSON.parse(stored.envelope) as Envelope;
  return readRelease(Buffer.from(payload, 'base64'));
}
