// SPDX-License-Identifier: Apache-2.0
// Whom a device believes: Ed25519 public keys by role, given at enrolment. A key of one role never counts
// for another.

import { array, type Checked, integer, object, string } from './check.js';
import { tenant } from './name.js';

const key = object({
  /** First 16 hex digits of the SHA-256 of the raw public key: a hint, never a proof. */
  keyid: string({ pattern: /^[0-9a-f]{16}$/, form: '16 hex digits' }),
  /** SPKI, DER, base64. */
  publicKey: string({ pattern: /^[A-Za-z0-9+/]+={0,2}$/, lengthMax: 128, form: 'base64' }),
});
export type TrustedKey = Checked<typeof key>;

export const trust = object({
  tenant,
  epoch: integer(0, Number.MAX_SAFE_INTEGER),
  release: array(key, 16),
  assignment: array(key, 16),
});
export type Trust = Checked<typeof trust>;
