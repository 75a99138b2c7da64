// SPDX-License-Identifier: Apache-2.0
// Secrets on their way to one device: each sealed to the device's own X25519 key, all of them in one signed
// document. What is sealed is bound to its place by the associated data: tenant, device, name and version.
// Sealing and opening live in images/sign/seal.ts.

import { array, type Checked, instant, integer, object, string } from './check.js';
import { deviceId, tenant } from './name.js';

/** An X25519 public key: 32 bytes, base64. */
export const sealKey = string({
  pattern: /^[A-Za-z0-9+/]{43}=$/,
  form: 'an X25519 public key of 32 bytes in base64',
});

/** `registry/HOST` for logins; the part before the slash says what kind of secret it is. */
export const secretName = string({
  pattern:
    /^[a-z]{1,16}\/[A-Za-z0-9][A-Za-z0-9._:-]{0,255}$|^registry\/\[[0-9a-f:.]{2,45}\](:\d{1,5})?$/,
  lengthMax: 280,
  form: 'like registry/HOST',
});

/** Base64; with its overhead the secret has at most 64 KiB. */
export const sealedText = string({
  pattern: /^[A-Za-z0-9+/]+={0,2}$/,
  lengthMax: 90_000,
  form: 'base64',
});

/** More than a document of 96 KiB holds. */
export const secretCountMax = 256;

export const sealedDocument = object({
  tenant,
  device: deviceId,
  /** Grows with every change of any secret; an older document is never accepted after a newer one. */
  version: integer(0, Number.MAX_SAFE_INTEGER),
  issuedAt: instant,
  items: array(
    object({
      name: secretName,
      version: integer(0, Number.MAX_SAFE_INTEGER),
      sealed: sealedText,
    }),
    secretCountMax,
  ),
});
export type SealedDocument = Checked<typeof sealedDocument>;

/** A login as it is sealed, JSON. */
export const registryLogin = object({
  username: string({ lengthMax: 256 }),
  password: string({ lengthMax: 16_384 }),
});
export type RegistryLogin = Checked<typeof registryLogin>;

export const registrySecret = (host: string): string => `registry/${host}`;

export interface SealContext {
  readonly tenant: string;
  /** A device's id, or `fleet` with a dot before it for the server's own copy. */
  readonly device: string;
  readonly name: string;
  readonly version: number;
}

/** Whose copy the server keeps; no device can have this id. */
export const fleetSealDevice = '.fleet';

/** The associated data; none of the words can hold a bar. */
export function sealContext({ tenant, device, name, version }: SealContext): string {
  return `${tenant}|${device}|${name}|${version}`;
}
