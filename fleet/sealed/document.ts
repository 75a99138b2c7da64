// SPDX-License-Identifier: Apache-2.0
// The document of one device: every secret of the fleet, opened with the server's key and sealed again to the
// device's own, signed with the assignment key. Made when it is sent; in clear a secret is here only, and
// only while this runs.

import { instantOf } from '../../adapters/clock.js';
import type { Db } from '../../adapters/sqlite.js';
import { signEnvelope } from '../../images/sign/envelope.js';
import { seal, unseal } from '../../images/sign/seal.js';
import { payloadTypes } from '../../protocol/envelope.js';
import { fleetSealDevice, type SealedDocument, sealContext } from '../../protocol/sealed.js';
import type { Signing } from '../apply/sign.js';
import { listSecrets, newestVersion, type Secret, sealKeyOfDevice } from './secrets.js';

export interface Sealing {
  readonly db: Db;
  readonly signing: Signing;
  /** The server's X25519 key, PEM. */
  readonly key: string;
  now(): number;
}

/** Undefined where there never was a secret, or the device has no key. @throws SEAL_BROKEN, SEAL_KEY_BAD */
export async function documentFor(sealing: Sealing, device: string): Promise<string | undefined> {
  const { db, signing } = sealing;
  const found = await db.transaction(async (tx) => ({
    key: await sealKeyOfDevice(tx, device),
    version: await newestVersion(tx),
    secrets: await listSecrets(tx),
  }));
  const { key, version } = found;
  if (key === undefined || version === 0) return undefined;
  const document: SealedDocument = {
    tenant: signing.tenant,
    device,
    version,
    issuedAt: instantOf(sealing.now()),
    items: found.secrets.map((secret) => itemOf(sealing, secret, device, key)),
  };
  const payload = Buffer.from(JSON.stringify(document));
  return JSON.stringify(signEnvelope(payloadTypes.sealed, payload, signing.key));
}

function itemOf(
  { signing, key }: Sealing,
  { name, version, sealed }: Secret,
  device: string,
  to: string,
): SealedDocument['items'][number] {
  const { tenant } = signing;
  const ours = sealContext({ tenant, device: fleetSealDevice, name, version: 0 });
  const bytes = unseal(sealed, key, ours);
  const context = sealContext({ tenant, device, name, version });
  return { name, version, sealed: seal(bytes, to, context) };
}
