// SPDX-License-Identifier: Apache-2.0
// Lets a device in: a certificate request and a claim's secret become a certificate and all that the device
// must know of its fleet. The same key with the same claim gets the same device again, however often the
// answer was lost. It speaks no HTTP: http.ts does.

import type { BrokerAddress } from '../../protocol/broker.js';
import { type EnrolResponse, enrolRequest } from '../../protocol/enrol.js';
import { CodedError, codeOf } from '../../protocol/error.js';
import type { Trust } from '../../protocol/trust.js';
import type { Attempts } from './attempts.js';
import type { Authority } from './authority.js';
import type { Claims } from './claims.js';
import { hashOfKey } from './identity.js';
import { readRequest } from './x509.js';

export interface NewDevice {
  /** SHA-256 of the public key (SPKI, DER), hex: two keys are two devices. */
  readonly keyHash: string;
  /** What the device would like to be called. */
  readonly name: string | undefined;
  readonly serial: string | undefined;
  /** X25519, base64: what secrets for it are sealed to. */
  readonly sealKey: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly claim: string;
}

export interface EnrolDeps {
  readonly authority: Authority;
  readonly claims: Claims;
  readonly attempts: Attempts;
  readonly trust: Trust;
  readonly endpoints: {
    readonly mqtt: BrokerAddress;
    /** Where devices renew their certificates. */
    readonly api: { readonly host: string; readonly port: number };
    /** host[:port], asked with the device's certificate. */
    readonly registries: readonly string[];
  };
  /** Whether the device is in service, with this key. */
  isAdmitted(device: string, keyHash: string): boolean;
  /** Writes the device down and gives its id; must give the same id for the same keyHash. */
  addDevice(device: NewDevice): Promise<string>;
  /** The device asked with one key and gets a certificate for the other: it has both from then on, and no more. */
  renewed(device: string, keys: { asked: string; fresh: string }): Promise<void>;
}

/**
 * `read` gives the request; it is not called where the address had its attempts. `address` is where it came from.
 * @throws what `read` throws, SHAPE_BAD, CSR_BAD, CLAIM_*, DEVICE_REVOKED, and what addDevice throws
 */
export async function enrol(
  read: () => Promise<unknown>,
  address: string,
  deps: EnrolDeps,
): Promise<EnrolResponse> {
  deps.attempts.check(address);
  const asked = enrolRequest(await read(), 'request');
  const { spki } = await readRequest(asked.csr);
  const keyHash = hashOfKey(spki);
  const taken = await takeClaim(asked.claim, keyHash, address, deps);
  const device = taken.device ?? (await addDevice(asked, keyHash, taken, deps));
  if (!deps.isAdmitted(device, keyHash)) {
    throw new CodedError('DEVICE_REVOKED', `${device} is revoked`, { device });
  }
  return {
    tenant: deps.authority.tenant,
    device,
    certificate: await deps.authority.issueDevice(asked.csr, device),
    authority: deps.authority.certificatePem,
    trust: deps.trust,
    mqtt: { ...deps.endpoints.mqtt },
    api: { ...deps.endpoints.api },
    registries: Object.fromEntries(deps.endpoints.registries.map((host) => [host, {}])),
    labels: { ...taken.labels },
  };
}

async function takeClaim(
  secret: string,
  keyHash: string,
  address: string,
  deps: EnrolDeps,
): ReturnType<Claims['take']> {
  try {
    return await deps.claims.take(secret, keyHash);
  } catch (error) {
    if (codeOf(error).startsWith('CLAIM_')) deps.attempts.failed(address);
    throw error;
  }
}

async function addDevice(
  asked: { name?: string; serial?: string; sealKey?: string },
  keyHash: string,
  taken: { id: string; labels: Readonly<Record<string, string>> },
  deps: EnrolDeps,
): Promise<string> {
  const device = await deps.addDevice({
    keyHash,
    name: asked.name,
    serial: asked.serial,
    sealKey: asked.sealKey,
    labels: taken.labels,
    claim: taken.id,
  });
  return deps.claims.settle(taken.id, keyHash, device);
}
