// SPDX-License-Identifier: Apache-2.0
// From a text that anybody may have sent to a document that the right role has signed. Order matters: the
// text is bounded JSON before its signature is looked at, and nothing inside is believed before it holds.

import { verifyEnvelope } from '../../images/sign/envelope.js';
import type { Check } from '../../protocol/check.js';
import {
  type Envelope,
  envelope as envelopeCheck,
  type PayloadType,
} from '../../protocol/envelope.js';
import { CodedError, codeOf, type Facts, messageOf } from '../../protocol/error.js';
import { parseJson } from '../../protocol/json.js';
import type { TrustedKey } from '../../protocol/trust.js';

export interface Signed<T> {
  readonly document: T;
  readonly envelope: Envelope;
  /** What was signed, byte for byte. */
  readonly payload: Buffer;
}

/** @throws DESIRED_FORM, DESIRED_SIGNATURE; with the fact `signed: false` while no trusted key vouches for it */
export function readSigned<T>(
  text: string,
  rule: {
    what: string;
    payloadType: PayloadType;
    keys: readonly TrustedKey[];
    check: Check<T>;
    bytesMax: number;
  },
): Signed<T> {
  const { what, payloadType, keys, check, bytesMax } = rule;
  const raw = formed({ what, signed: false }, () => parseJson(text, what, { bytesMax }));
  const payload = signed(what, () => verifyEnvelope(raw, payloadType, keys));
  return formed({ what }, () => ({
    document: check(parseJson(payload.toString('utf8'), what, { bytesMax }), what),
    envelope: envelopeCheck(raw, what),
    payload,
  }));
}

function formed<T>(facts: Facts, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw refused('DESIRED_FORM', messageOf(error), facts, error);
  }
}

function signed<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const facts = { what, cause: codeOf(error), signed: false };
    throw refused('DESIRED_SIGNATURE', `${what}: ${messageOf(error)}`, facts, error);
  }
}

export type RefusalCode = Extract<ConstructorParameters<typeof CodedError>[0], `DESIRED_${string}`>;

export function refused(
  code: RefusalCode,
  message: string,
  facts: Facts = {},
  cause?: unknown,
): CodedError {
  return new CodedError(code, message, facts, cause === undefined ? {} : { cause });
}
