// SPDX-License-Identifier: Apache-2.0
// From a blank board to a named, trusted device: a key is made, the pinned authority is checked, a request
// is sent, the answer is checked and written down. It may be interrupted anywhere and run again: the key
// under way is kept, and the fleet gives the same key the same device.

import { randomInt, X509Certificate } from 'node:crypto';
import { type Clock, systemClock } from '../../adapters/clock.js';
import { makeFolder, readIfThere } from '../../adapters/durable.js';
import { type EnrolResponse, parseClaimCode } from '../../protocol/enrol.js';
import { CodedError, codeOf } from '../../protocol/error.js';
import { commonName } from '../../protocol/name.js';
import { makeRequest } from './csr.js';
import { finishIdentity, identityPlaces, isRegistryHost, writeIdentity } from './files.js';
import { certificateFault, openKey, pemOf } from './key.js';
import { fetchAuthority, postEnrol } from './request.js';
import { openSealKey } from './seal.js';

export interface EnrolOptions {
  readonly configDir: string;
  readonly code: string;
  readonly name?: string;
  readonly serial?: string;
  /** Enrol again although the device has an identity: a new key, a new certificate. */
  readonly force?: boolean;
  /** Go on trying while there is no network; told before each wait. */
  readonly onWait?: (error: CodedError, delayMs: number) => void;
  readonly clock?: Clock;
  readonly signal?: AbortSignal;
}

export interface Enrolled {
  readonly tenant: string;
  readonly device: string;
}

const waitMs = { min: 1000, max: 60_000 };

/** @throws IDENTITY_EXISTS, CLAIM_*, ENROL_*, NO_SPACE */
export async function enrolDevice(options: EnrolOptions): Promise<Enrolled> {
  const claim = parseClaimCode(options.code);
  const places = identityPlaces(options.configDir);
  await makeFolder(options.configDir, 0o700);
  await makeFolder(places.folder, 0o700);
  await finishIdentity(options.configDir);
  if (options.force !== true && (await readIfThere(places.cert)) !== undefined) {
    throw new CodedError('IDENTITY_EXISTS', `${places.folder} holds an identity already`, {
      path: places.folder,
    });
  }
  const response = await retried(options, async () => {
    const authority = await fetchAuthority(claim, options.signal);
    const key = await openKey(places.pendingKey);
    const request = {
      claim: claim.secret,
      csr: makeRequest(key),
      sealKey: await openSealKey(options.configDir),
      ...(options.name === undefined ? {} : { name: options.name }),
      ...(options.serial === undefined ? {} : { serial: options.serial }),
    };
    const answer = await postEnrol(claim, authority, request, options.signal);
    checkAnswer(answer, authority, pemOf(key));
    return { answer, key: pemOf(key) };
  });
  await writeIdentity(options.configDir, response.key, response.answer);
  return { tenant: response.answer.tenant, device: response.answer.device };
}

/** The server is the pinned one, yet a wrong answer must not become an identity that cannot work. */
function checkAnswer(answer: EnrolResponse, authorityPem: string, key: string): void {
  const wrong = (what: string): CodedError => new CodedError('ENROL_REFUSED', `the answer ${what}`);
  const authority = new X509Certificate(authorityPem);
  if (!new X509Certificate(answer.authority).raw.equals(authority.raw)) {
    throw wrong('names another authority than the pinned one');
  }
  const fault = certificateFault(answer.certificate, {
    authority: authorityPem,
    key,
    name: commonName(answer.tenant, answer.device),
  });
  if (fault !== undefined) throw wrong(fault);
  if (answer.trust.tenant !== answer.tenant) throw wrong('has the trust of another tenant');
  const host = Object.keys(answer.registries).find((name) => !isRegistryHost(name));
  if (host !== undefined) throw wrong(`has a registry that is no host name: ${host.slice(0, 64)}`);
}

async function retried<T>(options: EnrolOptions, work: () => Promise<T>): Promise<T> {
  const clock = options.clock ?? systemClock;
  let delayMs = waitMs.min;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (options.onWait === undefined || codeOf(error) !== 'ENROL_UNREACHABLE') throw error;
      options.onWait(error as CodedError, delayMs);
      await clock.sleep(delayMs, options.signal);
      delayMs = Math.min(waitMs.max, randomInt(waitMs.min, delayMs * 3));
    }
  }
}
