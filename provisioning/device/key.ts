// SPDX-License-Identifier: Apache-2.0
// The device's own key: P-256, made here, readable by root only, never sent anywhere.

import { createPrivateKey, generateKeyPair, type KeyObject, X509Certificate } from 'node:crypto';
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

/** What is wrong with a certificate that was given for our key, in words after "the answer"; PEM texts. */
export function certificateFault(
  certificatePem: string,
  wanted: { authority: string; key: string; name: string },
): string | undefined {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(certificatePem);
  } catch {
    return 'has no certificate';
  }
  const key = readKey(wanted.key);
  if (key === undefined || !certificate.checkPrivateKey(key)) {
    return 'has a certificate for another key';
  }
  if (!certificate.verify(new X509Certificate(wanted.authority).publicKey)) {
    return 'has a certificate of another authority';
  }
  const isOurs = certificate.subject.split('\n').includes(`CN=${wanted.name}`);
  return isOurs ? undefined : `has a certificate that is not for CN=${wanted.name}`;
}
