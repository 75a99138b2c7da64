// SPDX-License-Identifier: Apache-2.0
// Ed25519 keys: made, read from PEM, and turned into the form that a device trusts. Other algorithms are
// refused by name. It stores nothing.

import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import { CodedError } from '../../protocol/error.js';
import type { TrustedKey } from '../../protocol/trust.js';

const pemLengthMax = 4096;

/** A new key pair: the private key as PKCS #8 PEM, for a file with mode 0600, and its public half. */
export function makeKey(): { privateKey: string; trusted: TrustedKey } {
  const pair = generateKeyPairSync('ed25519');
  return {
    privateKey: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    trusted: trustedOf(pair.publicKey),
  };
}

/** The public half of a PEM, be it a private or a public key. @throws SIGN_KEY_BAD */
export function readKey(pem: string): TrustedKey {
  return trustedOf(parse('the PEM', () => createPublicKey(bounded(pem))));
}

/** @throws SIGN_KEY_BAD */
export function privateKeyOf(pem: string): KeyObject {
  return parse('the private key', () => createPrivateKey(bounded(pem)));
}

/** @throws SIGN_KEY_BAD */
export function publicKeyOf(trusted: TrustedKey): KeyObject {
  const der = Buffer.from(trusted.publicKey, 'base64');
  return parse(`the trusted key ${trusted.keyid}`, () =>
    createPublicKey({ key: der, format: 'der', type: 'spki' }),
  );
}

function trustedOf(key: KeyObject): TrustedKey {
  const spki = key.export({ type: 'spki', format: 'der' });
  const raw = spki.subarray(-32); // RFC 8410 §4: the last 32 bytes are the key itself
  return {
    keyid: createHash('sha256').update(raw).digest('hex').slice(0, 16),
    publicKey: spki.toString('base64'),
  };
}

function bounded(pem: string): string {
  if (pem.length > pemLengthMax) throw new Error(`longer than ${pemLengthMax} characters`);
  return pem;
}

function parse(what: string, read: () => KeyObject): KeyObject {
  let key: KeyObject;
  try {
    key = read();
  } catch (error) {
    const why = (error as Error).message;
    throw new CodedError('SIGN_KEY_BAD', `${what} is not readable: ${why}`, {}, { cause: error });
  }
  if (key.asymmetricKeyType !== 'ed25519') {
    const kind = key.asymmetricKeyType ?? 'unknown';
    throw new CodedError('SIGN_KEY_BAD', `${what} is ${kind}, not Ed25519`, { kind });
  }
  return key;
}
