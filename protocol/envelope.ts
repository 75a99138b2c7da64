// SPDX-License-Identifier: Apache-2.0
// The DSSE envelope (github.com/secure-systems-lab/dsse, protocol v1) and our payload types. What is signed
// are the raw payload bytes behind the pre-authentication encoding, so nothing is ever canonicalised.
// Signing and verifying live in images/sign.

import { array, type Checked, object, oneOf, string } from './check.js';

export const payloadTypes = {
  release: 'application/vnd.wherry.release.v1+json',
  assignment: 'application/vnd.wherry.assignment.v1+json',
  sealed: 'application/vnd.wherry.sealed.v1+json',
} as const;
export type PayloadType = (typeof payloadTypes)[keyof typeof payloadTypes];

const base64 = { pattern: /^[A-Za-z0-9+/]*={0,2}$/, form: 'base64' };

export const envelope = object({
  payloadType: oneOf(payloadTypes.release, payloadTypes.assignment, payloadTypes.sealed),
  payload: string({ ...base64, lengthMax: 128 * 1024 }),
  signatures: array(
    object({ keyid: string({ lengthMax: 64 }), sig: string({ ...base64, lengthMax: 128 }) }),
    8,
  ),
});
export type Envelope = Checked<typeof envelope>;

/** PAE(type, body) = "DSSEv1" SP LEN(type) SP type SP LEN(body) SP body, lengths in bytes. */
export function preAuthEncoding(payloadType: string, body: Uint8Array): Uint8Array {
  const typeLength = new TextEncoder().encode(payloadType).length;
  const head = new TextEncoder().encode(`DSSEv1 ${typeLength} ${payloadType} ${body.length} `);
  const whole = new Uint8Array(head.length + body.length);
  whole.set(head);
  whole.set(body, head.length);
  return whole;
}
