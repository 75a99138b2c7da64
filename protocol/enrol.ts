// SPDX-License-Identifier: Apache-2.0
// Enrolment over HTTPS (the verbs of EST, RFC 7030, in JSON): POST /v1/enrol with a CSR and a claim's
// secret. The claim code pins the authority's certificate, so a device never speaks its secret to a stranger.

import { brokerAddress } from './broker.js';
import { type Checked, integer, object, optional, record, string } from './check.js';
import { CodedError } from './error.js';
import { deviceId, labelKey, tenant } from './name.js';
import { sealKey } from './sealed.js';
import { trust } from './trust.js';

const pem = string({ lengthMax: 16_384 });

export const enrolRequest = object({
  claim: string({ pattern: /^[A-Za-z0-9_-]{16,64}$/, form: 'a claim secret' }),
  csr: pem,
  /** What the device would like to be called; the fleet may give another id. */
  name: optional(deviceId),
  /** Board serial or the like, for people. */
  serial: optional(string({ lengthMax: 128 })),
  /** What secrets are sealed to for this device. */
  sealKey: optional(sealKey),
});
export type EnrolRequest = Checked<typeof enrolRequest>;

/** Of the fleet's HTTPS server. */
export const apiAddress = object({ host: string({ lengthMax: 255 }), port: integer(1, 65_535) });

/** POST /v1/renew, with the device's certificate over mutual TLS. */
export const renewRequest = object({ csr: pem });
export const renewResponse = object({ certificate: pem });

/** Open: a device must be able to join a fleet whose server is newer than itself. */
export const enrolResponse = object(
  {
    tenant,
    device: deviceId,
    /** PEM, the device's certificate: CN = tenant--device, clientAuth only. */
    certificate: pem,
    /** PEM of the authority; its SHA-256 is the pin. */
    authority: pem,
    trust,
    mqtt: brokerAddress,
    /** Where the certificate is renewed; absent in answers of older servers. */
    api: optional(apiAddress),
    /** Registry hosts that are asked with the device's certificate: host[:port] → nothing yet. */
    registries: record(string({ lengthMax: 255 }), object({}), 16),
    labels: optional(record(labelKey, string({ lengthMax: 256 }), 64)),
  },
  { open: true },
);
export type EnrolResponse = Checked<typeof enrolResponse>;

/** A claim code: one word that can be typed, printed as a QR code or put into a file. */
export interface ClaimCode {
  readonly host: string;
  readonly port: number;
  readonly secret: string;
  /** SHA-256 of the authority's certificate (DER), base64url. */
  readonly pin: string;
}

const codePattern =
  /^wherry1\.([A-Za-z0-9.:\-[\]]{1,255}):(\d{1,5})\.([A-Za-z0-9_-]{16,64})\.([A-Za-z0-9_-]{43})$/;

export function formatClaimCode(claim: ClaimCode): string {
  return `wherry1.${claim.host}:${claim.port}.${claim.secret}.${claim.pin}`;
}

/** @throws CLAIM_BAD */
export function parseClaimCode(text: string): ClaimCode {
  const parts = codePattern.exec(text.trim());
  const port = Number(parts?.[2]);
  if (parts === null || port < 1 || port > 65_535) {
    throw new CodedError(
      'CLAIM_BAD',
      'the claim code is not of the form wherry1.HOST:PORT.SECRET.PIN',
    );
  }
  return { host: parts[1] ?? '', port, secret: parts[3] ?? '', pin: parts[4] ?? '' };
}
