// SPDX-License-Identifier: Apache-2.0
// The device's own key: P-256, made here, readable by root only, never sent anywhere.

import { createPrivateKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { readIfThere, writeDurable } from '../../adapters/durable.js';

/** The key in the file, or a new one written there. A damaged file is replaced. @throws NO_SPACE */
export async function openKey(path: string): Promise<KeyObject> {
  const text = await readIfThere(path);
  const old = text === undefined ? undefined : readKey(String(text));
  if (old !== undefined) return old;
  const { privateKey } = await promisify(generateKeyPair)('ec', { namedCurve: 'P-256' });
  await writeDurable(path, pemOf(privateKey), { mode: 0o600 });
  return privateKey;
}

/** PKCS#8, PEM. */
export function pemOf(key: KeyObject): string {
  return String(key.export({ type: 'pkcs8', format: 'pem' }));
}

/** Undefined for what is not a P-256 private key. */
export function readKey(pem: string): KeyObject | undefined {
  try {
    const key = createPrivateKey(pem);
    return key.asymmetricKeyDetails?.namedCurve === 'prime256v1' ? key : undefined;
  } catch {
    return undefined;
  }
}
