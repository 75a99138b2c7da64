// SPDX-License-Identifier: Apache-2.0
// The identity's files under the configuration folder. An enrolment is first written whole into one journal
// file, then spread into its places; a power cut between is made good by spreading again.
//
// INVARIANT: while identity/pending.json is there it is the truth, and what lies in the places may be half
// old and half new. It is removed last.

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder, readIfThere, syncFolder, writeDurable } from '../../adapters/durable.js';
import { object, string } from '../../protocol/check.js';
import { type EnrolResponse, enrolResponse } from '../../protocol/enrol.js';
import { CodedError } from '../../protocol/error.js';
import { parseJson } from '../../protocol/json.js';

export interface IdentityPlaces {
  readonly folder: string;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  /** The key of an enrolment that is under way. */
  readonly pendingKey: string;
  readonly pending: string;
  /** The key of a renewal that is under way. */
  readonly renewKey: string;
  readonly trust: string;
  /** wherryd.json; the agent may keep fields of its own in it. */
  readonly config: string;
  /** Docker's layout: certs.d/HOST[:PORT]/{ca.crt,client.cert,client.key}. */
  readonly certs: string;
}

export function identityPlaces(configDir: string): IdentityPlaces {
  const folder = join(configDir, 'identity');
  return {
    folder,
    ca: join(folder, 'ca.crt'),
    cert: join(folder, 'client.cert'),
    key: join(folder, 'client.key'),
    pendingKey: join(folder, 'pending.key'),
    pending: join(folder, 'pending.json'),
    renewKey: join(folder, 'renew.key'),
    trust: join(configDir, 'trust.json'),
    config: join(configDir, 'wherryd.json'),
    certs: join(configDir, 'certs.d'),
  };
}

const journal = object({ key: string({ lengthMax: 4096 }), response: enrolResponse });

/** Host names become folder names here: nothing that could leave the folder. */
const registryHost = /^([A-Za-z0-9][A-Za-z0-9.-]{0,252}|\[[0-9A-Fa-f:]{2,45}\])(:\d{1,5})?$/;

export function isRegistryHost(host: string): boolean {
  return registryHost.test(host);
}

/** Makes the enrolment the device's identity. @throws NO_SPACE */
export async function writeIdentity(
  configDir: string,
  key: string,
  response: EnrolResponse,
): Promise<void> {
  const places = identityPlaces(configDir);
  await writeDurable(places.pending, JSON.stringify({ key, response }), { mode: 0o600 });
  await finishIdentity(configDir);
}

/** Spreads a journal that is there; false = there is none. @throws IDENTITY_BAD, NO_SPACE */
export async function finishIdentity(configDir: string): Promise<boolean> {
  const places = identityPlaces(configDir);
  const text = await readIfThere(places.pending);
  if (text === undefined) return false;
  const { key, response } = readJournal(String(text), places.pending);
  const { tenant, device, mqtt, api, registries } = response;

  await writeDurable(places.ca, response.authority);
  await writeDurable(places.cert, response.certificate);
  await writeDurable(places.key, key, { mode: 0o600 });
  for (const host of Object.keys(registries)) {
    const folder = join(places.certs, host);
    await makeFolder(places.certs, 0o700);
    await makeFolder(folder, 0o700);
    await writeDurable(join(folder, 'ca.crt'), response.authority);
    await writeDurable(join(folder, 'client.cert'), response.certificate);
    await writeDurable(join(folder, 'client.key'), key, { mode: 0o600 });
  }
  await writeDurable(places.trust, pretty(response.trust));
  const kept = await readConfig(places.config);
  await writeDurable(
    places.config,
    pretty({ ...kept, tenant, device, mqtt, ...(api === undefined ? {} : { api }), registries }),
  );

  await rm(places.pendingKey, { force: true });
  await rm(places.renewKey, { force: true });
  await rm(places.pending, { force: true });
  await syncFolder(places.folder);
  return true;
}

function readJournal(text: string, path: string): { key: string; response: EnrolResponse } {
  try {
    return journal(parseJson(text, path), 'pending');
  } catch (error) {
    throw new CodedError('IDENTITY_BAD', `${path} is damaged`, { path }, { cause: error });
  }
}

/** The fields that the agent or a person put there stay; a file that is no JSON object is replaced. */
async function readConfig(path: string): Promise<object> {
  const text = await readIfThere(path);
  if (text === undefined) return {};
  try {
    const value = parseJson(String(text), path);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
  } catch {
    return {};
  }
}

const pretty = (value: object): string => `${JSON.stringify(value, null, 2)}\n`;
