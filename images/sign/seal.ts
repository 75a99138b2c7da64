// SPDX-License-Identifier: Apache-2.0
// Seals bytes to an X25519 public key: an ephemeral key, HKDF-SHA-256 (RFC 5869) over the shared secret and both public
// keys, AES-256-GCM with associated data. Only the holder of the private key opens it, and only in the
// place that the associated data names. It says nothing of who sealed: that is the envelope's signature.

import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
} from 'node:crypto';
import { CodedError } from '../../protocol/error.js';

const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;
export const secretBytesMax = 64 * 1024;
/** SPKI of an X25519 key but for the key itself (RFC 8410 §4). */
const spkiHead = Buffer.from('302a300506032b656e032100', 'hex');
const purpose = 'wherry seal v1';

/** A new key pair: PKCS #8 PEM for a file with mode 0600, and the 32 bytes of the public key in base64. */
export function makeSealKey(): { privateKey: string; publicKey: string } {
  const pair = generateKeyPairSync('x25519');
  const privateKey = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { privateKey, publicKey: rawOf(pair.publicKey).toString('base64') };
}

/** The public half in base64. @throws SEAL_KEY_BAD */
export function sealKeyOf(privateKeyPem: string): string {
  return rawOf(createPublicKey(privateOf(privateKeyPem))).toString('base64');
}

/** Base64 of: ephemeral public key, ciphertext, tag. @throws SEAL_KEY_BAD; SEAL_BROKEN past 64 KiB */
export function seal(bytes: Uint8Array, publicKey: string, aad: string): string {
  if (bytes.length > secretBytesMax) {
    throw new CodedError('SEAL_BROKEN', `a secret has at most ${secretBytesMax} bytes`);
  }
  const to = publicOf(publicKey);
  const own = generateKeyPairSync('x25519');
  const head = rawOf(own.publicKey);
  const { key, nonce } = agree(own.privateKey, to, head, rawOf(to));
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(Buffer.from(aad));
  const body = Buffer.concat([cipher.update(bytes), cipher.final()]);
  return Buffer.concat([head, body, cipher.getAuthTag()]).toString('base64');
}

/** @throws SEAL_BROKEN for another key, another place or changed bytes; SEAL_KEY_BAD */
export function unseal(sealed: string, privateKeyPem: string, aad: string): Buffer {
  const own = privateOf(privateKeyPem);
  const bytes = Buffer.from(sealed, 'base64');
  if (bytes.length < keyBytes + tagBytes) throw broken('it is too short');
  const head = bytes.subarray(0, keyBytes);
  const from = publicOf(head.toString('base64'));
  try {
    const { key, nonce } = agree(own, from, head, rawOf(createPublicKey(own)));
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes });
    decipher.setAAD(Buffer.from(aad));
    decipher.setAuthTag(bytes.subarray(-tagBytes));
    return Buffer.concat([decipher.update(bytes.subarray(keyBytes, -tagBytes)), decipher.final()]);
  } catch (error) {
    throw broken('it is for another key or another place, or was changed', error);
  }
}

/** The nonce may come from the key agreement: the ephemeral key is used once. */
function agree(
  own: KeyObject,
  other: KeyObject,
  ephemeral: Buffer,
  recipient: Buffer,
): { key: Buffer; nonce: Buffer } {
  const shared = diffieHellman({ privateKey: own, publicKey: other });
  const salt = Buffer.concat([ephemeral, recipient]);
  const bytes = Buffer.from(hkdfSync('sha256', shared, salt, purpose, keyBytes + nonceBytes));
  return { key: bytes.subarray(0, keyBytes), nonce: bytes.subarray(keyBytes) };
}

function rawOf(key: KeyObject): Buffer {
  return key.export({ type: 'spki', format: 'der' }).subarray(-keyBytes);
}

function publicOf(base64: string): KeyObject {
  const raw = Buffer.from(base64, 'base64');
  if (raw.length !== keyBytes) throw badKey('the public key does not have 32 bytes');
  return createPublicKey({ key: Buffer.concat([spkiHead, raw]), format: 'der', type: 'spki' });
}

function privateOf(pem: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (error) {
    throw badKey('the private key is not readable', error);
  }
  if (key.asymmetricKeyType !== 'x25519')
    throw badKey(`the key is ${key.asymmetricKeyType}, not X25519`);
  return key;
}

function badKey(what: string, cause?: unknown): CodedError {
  return new CodedError('SEAL_KEY_BAD', what, {}, cause === undefined ? {} : { cause });
}

function broken(what: string, cause?: unknown): CodedError {
  const message = `the sealed secret cannot be opened: ${what}`;
  return new CodedError('SEAL_BROKEN', message, {}, cause === undefined ? {} : { cause });
}
