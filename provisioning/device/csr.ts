// SPDX-License-Identifier: Apache-2.0
// A certificate request (PKCS#10, RFC 2986) for a P-256 key, written in DER by hand: an X.509 library costs
// a device 15 MB. The subject is a fixed word, since the authority ignores it.

import { createPublicKey, type KeyObject, sign } from 'node:crypto';

const tag = { integer: 0x02, bits: 0x03, oid: 0x06, utf8: 0x0c, sequence: 0x30, set: 0x31 };
/** [0] IMPLICIT, constructed: the empty list of attributes. */
const attributes = 0xa0;
const commonNameOid = Buffer.from('550403', 'hex'); // 2.5.4.3
const ecdsaSha256Oid = Buffer.from('2a8648ce3d040302', 'hex'); // 1.2.840.10045.4.3.2

/** PEM. */
export function makeRequest(key: KeyObject): string {
  const name = der(
    tag.sequence,
    der(
      tag.set,
      der(tag.sequence, der(tag.oid, commonNameOid), der(tag.utf8, Buffer.from('wherry device'))),
    ),
  );
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const version = der(tag.integer, Buffer.from([0]));
  const body = der(tag.sequence, version, name, spki, der(attributes));
  const signature = sign('sha256', body, key); // DER, as X9.62 wants it
  const request = der(
    tag.sequence,
    body,
    der(tag.sequence, der(tag.oid, ecdsaSha256Oid)),
    der(tag.bits, Buffer.from([0]), signature), // no unused bits
  );
  const lines = request.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE REQUEST-----\n${lines.join('\n')}\n-----END CERTIFICATE REQUEST-----\n`;
}

function der(type: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([type, ...lengthOf(body.length)]), body]);
}

/** X.690 §8.1.3: short form below 128, else the count of length bytes and the length. */
function lengthOf(length: number): number[] {
  if (length < 0x80) return [length];
  return length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
}
