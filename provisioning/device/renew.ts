// SPDX-License-Identifier: Apache-2.0
// A new certificate before the old one ends: a new key, a request shown with the old certificate, the new one tried
// at the fleet, and only then put in the old one's place. A renewal that fails changes nothing; the key under
// way is kept for the next try.

import { createHash, X509Certificate } from 'node:crypto';
import { CodedError } from '../../protocol/error.js';
import { commonName } from '../../protocol/name.js';
import { makeRequest } from './csr.js';
import { identityPlaces, writeIdentity } from './files.js';
import { type DeviceIdentity, loadIdentity } from './identity.js';
import { certificateFault, openKey, pemOf } from './key.js';
import { postRenew, tryCertificate } from './request.js';

/** Share of the life over which a fleet that enrolled in one hour spreads its renewals. */
const spread = 1 / 12;

/** When it is due, ms since 1970: at two thirds of its life, and up to a twelfth later by the device's name. */
export function renewAt(identity: DeviceIdentity): number {
  const { validFrom, validTo } = new X509Certificate(identity.cert);
  const from = Date.parse(validFrom);
  const hash = createHash('sha256').update(commonName(identity.tenant, identity.device)).digest();
  const chance = hash.readUInt32BE(0) / 2 ** 32;
  return from + (Date.parse(validTo) - from) * (2 / 3 + spread * chance);
}

/**
 * The identity with its new certificate, written down; undefined where the fleet never said where to ask.
 * @throws ENROL_*, RENEW_REFUSED, NO_SPACE, IDENTITY_BAD
 */
export async function renewIdentity(
  configDir: string,
  identity: DeviceIdentity,
  signal?: AbortSignal,
): Promise<DeviceIdentity | undefined> {
  const { api, tenant, device, ca } = identity;
  if (api === undefined) return undefined;
  const privateKey = await openKey(identityPlaces(configDir).renewKey);
  const key = pemOf(privateKey);
  const old = { cert: identity.cert, key: identity.key };
  const certificate = await postRenew(api, ca, old, makeRequest(privateKey), signal);
  const name = commonName(tenant, device);
  const fault = certificateFault(certificate, { authority: ca, key, name });
  if (fault !== undefined) throw new CodedError('RENEW_REFUSED', `the answer ${fault}`);
  await tryCertificate(api, ca, { cert: certificate, key }, signal);
  const { mqtt, registries, trust } = identity;
  const response = { tenant, device, certificate, authority: ca, trust, mqtt, api, registries };
  await writeIdentity(configDir, key, response);
  return loadIdentity(configDir);
}
