// SPDX-License-Identifier: Apache-2.0
// The documents of an image as bytes: bounded, UTF-8, JSON, named by digest. Every parser of this room
// reads through here, so that a wrong document is IMAGE_MANIFEST with the field, whatever it is.

import { createHash } from 'node:crypto';
import type { Check } from '../../protocol/check.js';
import { CodedError, messageOf } from '../../protocol/error.js';
import { parseJson } from '../../protocol/json.js';
import type { Digest } from '../../protocol/name.js';

/** OCI distribution-spec §Pushing Manifests: 4 MiB is what every registry has to take. */
export const documentBytesMax = 4 * 1024 * 1024;
/** A config of 127 layers with their history has about a thousand; a full document of `{}` would fill a small heap. */
export const documentValuesMax = 20_000;

export function digestOf(bytes: Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** @throws IMAGE_DIGEST naming `what` */
export function checkBytes(
  bytes: Uint8Array,
  wanted: { digest: Digest; size?: number },
  what: string,
): void {
  if (wanted.size !== undefined && bytes.length !== wanted.size) {
    throw wrongBytes(what, wanted.digest, `has ${bytes.length} bytes, not ${wanted.size}`);
  }
  const found = digestOf(bytes);
  if (found !== wanted.digest) throw wrongBytes(what, wanted.digest, `has the digest ${found}`);
}

export function wrongBytes(what: string, digest: Digest, found: string): CodedError {
  return new CodedError('IMAGE_DIGEST', `${what} ${digest} ${found}`, { digest });
}

/** @throws IMAGE_LIMIT, IMAGE_MANIFEST */
export function readDocument(bytes: Uint8Array, where: string): Record<string, unknown> {
  if (bytes.length > documentBytesMax) {
    throw new CodedError('IMAGE_LIMIT', `the ${where} is longer than ${documentBytesMax} bytes`, {
      bytes: bytes.length,
    });
  }
  let value: unknown;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    value = parseJson(text, where, {
      bytesMax: documentBytesMax,
      valuesMax: documentValuesMax,
    });
  } catch (error) {
    throw badDocument(`${where}: ${messageOf(error)}`, error);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw badDocument(`${where}: must be an object`);
  }
  return value as Record<string, unknown>;
}

/** @throws IMAGE_MANIFEST with the path of the field */
export function checkDocument<T>(check: Check<T>, value: unknown, where: string): T {
  try {
    return check(value, where);
  } catch (error) {
    throw badDocument(messageOf(error), error);
  }
}

export function badDocument(what: string, cause?: unknown): CodedError {
  return new CodedError('IMAGE_MANIFEST', what, {}, cause === undefined ? {} : { cause });
}

/** A field of an outside document that others write as null where they mean absent. */
export function orNull<T>(check: Check<T>, absent: T): Check<T> {
  return (value, path) => (value === null ? absent : check(value, path));
}
