// SPDX-License-Identifier: Apache-2.0
// Who this device is, read from its configuration folder and checked: that the files are there, that key and
// certificate belong together, that certificate and wherryd.json name the same device. An expired
// certificate is still an identity: what runs goes on, and the link says that it is refused.

import { X509Certificate } from 'node:crypto';
import { readIfThere } from '../../adapters/durable.js';
import { brokerAddress } from '../../protocol/broker.js';
import {
  type Check,
  type Checked,
  object,
  optional,
  record,
  string,
} from '../../protocol/check.js';
import { apiAddress } from '../../protocol/enrol.js';
import { CodedError, messageOf } from '../../protocol/error.js';
import { parseJson } from '../../protocol/json.js';
import { commonName, deviceId, tenant } from '../../protocol/name.js';
import { type Trust, trust } from '../../protocol/trust.js';
import { finishIdentity, identityPlaces } from './files.js';
import { readKey } from './key.js';

/** The part of wherryd.json that enrolment writes. */
const config = object(
  {
    tenant,
    device: deviceId,
    mqtt: brokerAddress,
    api: optional(apiAddress),
    registries: record(string({ lengthMax: 255 }), object({}), 16),
  },
  { open: true },
);

export interface DeviceIdentity extends Checked<typeof config> {
  /** PEM texts. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  readonly trust: Trust;
}

/**
 * Undefined where the device was never enrolled. Finishes an enrolment that a power cut left half written.
 * @throws CONFIG_BAD, IDENTITY_BAD
 */
export async function loadIdentity(configDir: string): Promise<DeviceIdentity | undefined> {
  await finishIdentity(configDir);
  const places = identityPlaces(configDir);
  const [ca, cert, key] = await Promise.all([
    readIfThere(places.ca),
    readIfThere(places.cert),
    readIfThere(places.key),
  ]);
  if (ca === undefined && cert === undefined && key === undefined) return undefined;
  if (ca === undefined || cert === undefined || key === undefined) {
    throw bad(`${places.folder} misses ca.crt, client.cert or client.key`);
  }
  const identity = {
    ...(await readDocument(places.config, config)),
    ca: String(ca),
    cert: String(cert),
    key: String(key),
    trust: await readDocument(places.trust, trust),
  };
  checkPair(identity, places.folder);
  return identity;
}

/** When the certificate ends, ms since 1970. */
export function expiryOf(identity: DeviceIdentity): number {
  return Date.parse(new X509Certificate(identity.cert).validTo);
}

async function readDocument<T>(path: string, check: Check<T>): Promise<T> {
  const text = await readIfThere(path);
  if (text === undefined) throw bad(`${path} is missing`);
  try {
    return check(parseJson(String(text), path), path);
  } catch (error) {
    throw new CodedError('CONFIG_BAD', messageOf(error), { path }, { cause: error });
  }
}

function checkPair(identity: DeviceIdentity, folder: string): void {
  let certificate: X509Certificate;
  let authority: X509Certificate;
  try {
    certificate = new X509Certificate(identity.cert);
    authority = new X509Certificate(identity.ca);
  } catch (error) {
    throw bad(`${folder}: ca.crt or client.cert is damaged`, error);
  }
  const key = readKey(identity.key);
  if (key === undefined || !certificate.checkPrivateKey(key)) {
    throw bad(`${folder}: client.key is not the key of client.cert`);
  }
  if (!certificate.verify(authority.publicKey)) {
    throw bad(`${folder}: client.cert is not signed by ca.crt`);
  }
  const name = `CN=${commonName(identity.tenant, identity.device)}`;
  if (!certificate.subject.split('\n').includes(name)) {
    throw bad(`${folder}: client.cert is not for ${name}, as wherryd.json has it`);
  }
  if (identity.trust.tenant !== identity.tenant) {
    throw bad('trust.json is of another tenant than wherryd.json');
  }
}

function bad(what: string, cause?: unknown): CodedError {
  return new CodedError('IDENTITY_BAD', what, {}, { cause });
}
