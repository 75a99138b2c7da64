// SPDX-License-Identifier: Apache-2.0
// Signs and verifies DSSE envelopes with Ed25519 (DSSE protocol v1). What verify gives back are the raw
// payload bytes that were signed, never a re-encoding. The caller fixes the payload type and hands in the
// keys of one role; a keyid is a hint for the order of attempts, never a proof.

import { sign, verify } from 'node:crypto';
import {
  type Envelope,
  envelope as envelopeCheck,
  type PayloadType,
  preAuthEncoding,
} from '../../protocol/envelope.js';
import { CodedError, messageOf } from '../../protocol/error.js';
import type { TrustedKey } from '../../protocol/trust.js';
import { privateKeyOf, publicKeyOf, readKey } from './key.js';

/** Ed25519, RFC 8032 §5.1.6. */
const signatureBytes = 64;
const payloadBytesMax = 96 * 1024;
/** Bound on the work of one verify: keys of a role that are tried. */
const keyCountMax = 16;

/** @throws SIGN_KEY_BAD; SIGN_MALFORMED where the payload is longer than an envelope may carry */
export function signEnvelope(
  payloadType: PayloadType,
  payload: Uint8Array,
  privateKeyPem: string,
): Envelope {
  if (payload.length > payloadBytesMax) {
    throw malformed(`the payload is longer than ${payloadBytesMax} bytes`);
  }
  const key = privateKeyOf(privateKeyPem);
  const signature = sign(null, preAuthEncoding(payloadType, payload), key);
  return {
    payloadType,
    payload: Buffer.from(payload).toString('base64'),
    signatures: [{ keyid: readKey(privateKeyPem).keyid, sig: signature.toString('base64') }],
  };
}

/**
 * The payload's bytes, once one signature over them by one of `keys` holds.
 * @throws SIGN_UNSIGNED, SIGN_MALFORMED, SIGN_TYPE, SIGN_UNTRUSTED, SIGN_INVALID, SIGN_KEY_BAD
 */
export function verifyEnvelope(
  envelope: unknown,
  payloadType: PayloadType,
  keys: readonly TrustedKey[],
): Buffer {
  const { payload, signatures } = read(envelope, payloadType);
  const bytes = decode(payload, 'envelope.payload');
  const message = preAuthEncoding(payloadType, bytes);
  if (keys.length > keyCountMax) {
    throw new CodedError('SIGN_KEY_BAD', `more than ${keyCountMax} keys are trusted for the role`);
  }
  for (const { keyid, sig } of signatures) {
    const signature = decode(sig, 'envelope.signatures.sig');
    if (signature.length !== signatureBytes) {
      throw malformed(`a signature of ${signature.length} bytes; Ed25519 has ${signatureBytes}`);
    }
    if (hintedFirst(keys, keyid).some((key) => verify(null, message, publicKeyOf(key), signature)))
      return bytes;
  }
  throw refusal(signatures, keys);
}

function read(value: unknown, payloadType: PayloadType): Envelope {
  const fields = (typeof value === 'object' && value !== null ? value : {}) as Partial<Envelope>;
  if (!Object.hasOwn(fields, 'signatures') || isEmpty(fields.signatures)) {
    throw new CodedError('SIGN_UNSIGNED', 'the document is not a signed envelope: no signatures');
  }
  if (typeof fields.payloadType === 'string' && fields.payloadType !== payloadType) {
    const found = String(fields.payloadType).slice(0, 128);
    throw new CodedError('SIGN_TYPE', `the envelope holds ${found}, not ${payloadType}`, { found });
  }
  try {
    return envelopeCheck(value, 'envelope');
  } catch (error) {
    throw malformed(messageOf(error), error);
  }
}

function isEmpty(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

/** Strict: what another decoder could read differently is refused. */
function decode(text: string, where: string): Buffer {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) throw malformed(`${where}: must be base64 with padding`);
  return bytes;
}

function hintedFirst(keys: readonly TrustedKey[], keyid: string): readonly TrustedKey[] {
  const hinted = keys.filter((key) => key.keyid === keyid);
  return hinted.length === 0 ? keys : [...hinted, ...keys.filter((key) => !hinted.includes(key))];
}

function refusal(signatures: Envelope['signatures'], keys: readonly TrustedKey[]): CodedError {
  const named = signatures.find(({ keyid }) => keys.some((key) => key.keyid === keyid));
  if (named !== undefined) {
    const { keyid } = named;
    return new CodedError('SIGN_INVALID', `the signature of key ${keyid} does not fit`, { keyid });
  }
  const found = signatures.map(({ keyid }) => keyid).join(', ');
  return new CodedError('SIGN_UNTRUSTED', `signed by ${found}; none is trusted here`, { found });
}

function malformed(what: string, cause?: unknown): CodedError {
  return new CodedError('SIGN_MALFORMED', what, {}, cause === undefined ? {} : { cause });
}
