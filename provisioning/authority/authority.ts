// SPDX-License-Identifier: Apache-2.0
// The fleet's own certificate authority: made at first start, one for each tenant, kept in one folder. It
// says who is a device, an operator, the fleet's link, and which server is ours. Everything in the folder is
// written durably before it is used. It keeps no list of what it issued: the fleet's database does.
//
// ca.key, ca.crt, and server.pem: key and certificate in one file, so that the two always belong together.

import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { type Clock, systemClock } from '../../adapters/clock.js';
import { makeFolder, readIfThere, writeDurable } from '../../adapters/durable.js';
import { CodedError } from '../../protocol/error.js';
import { commonName } from '../../protocol/name.js';
import { linkName, operatorName, organisation } from './identity.js';
import {
  type Issued,
  issueFor,
  issueWithKey,
  makePrivateKey,
  makeRoot,
  readRequest,
  type Signer,
} from './x509.js';

export interface Authority {
  readonly tenant: string;
  readonly certificatePem: string;
  /** SHA-256 of the certificate's DER, base64url: what a claim code pins. */
  readonly pin: string;
  /** The server's certificate and key, PEM; changes with refresh(). */
  readonly server: Issued;
  /** Renews the server's certificate where two thirds of its life passed; true = it changed. */
  refresh(): Promise<boolean>;
  /** Signs the request's key for the device; its subject and extensions are ignored. @throws CSR_BAD */
  issueDevice(csrPem: string, device: string): Promise<string>;
  issueOperator(name: string): Promise<Issued>;
  issueLink(): Promise<Issued>;
}

const dayMs = 86_400_000;
const rootDays = 20 * 365;
const leafDays = 365;

/**
 * Opens the authority, or makes it where the folder holds none.
 * @throws AUTHORITY_BAD, NO_SPACE
 */
export async function openAuthority(
  folder: string,
  options: { tenant: string; names: readonly string[] },
  clock: Clock = systemClock,
): Promise<Authority> {
  await makeFolder(folder, 0o700);
  const signer = await openRoot(folder, options.tenant, clock);
  const names = [...new Set([...options.names, 'localhost', '127.0.0.1'])];
  const path = join(folder, 'server.pem');
  const name = `server.${options.tenant}`;
  const keep = (): Promise<Issued> => keepServer({ path, name, names }, signer, clock);
  let server = await keep();

  const client = (subject: { organisation: string; commonName: string }): Promise<Issued> =>
    issueWithKey({ subject, validity: validityOf(clock, leafDays), use: 'clientAuth' }, signer);
  return {
    tenant: options.tenant,
    certificatePem: signer.cert,
    pin: pinOf(signer.cert),
    get server(): Issued {
      return server;
    },
    refresh: async () => {
      if (!isDue(server.cert, clock)) return false;
      server = await keep();
      return true;
    },
    issueDevice: async (csrPem, device) => {
      const request = await readRequest(csrPem);
      const subject = {
        organisation: organisation.device,
        commonName: commonName(options.tenant, device),
      };
      const validity = validityOf(clock, leafDays);
      return issueFor(request, { subject, validity, use: 'clientAuth' }, signer);
    },
    issueOperator: (name) =>
      client({ organisation: organisation.operator, commonName: operatorName(name) }),
    issueLink: () =>
      client({ organisation: organisation.link, commonName: linkName(options.tenant) }),
  };
}

/**
 * A certificate for a server beside the fleet's own, such as an outside broker: kept in `path`, key and certificate
 * in one file, and renewed where it is due or the names changed. Needs an authority that is there.
 * @throws AUTHORITY_BAD, NO_SPACE
 */
export async function certifyServer(
  folder: string,
  server: { path: string; name: string; names: readonly string[] },
  clock: Clock = systemClock,
): Promise<{ tenant: string; certificatePem: string }> {
  const cert = String((await readIfThere(join(folder, 'ca.crt'))) ?? '');
  const tenant = new RegExp(`^CN=${rootName('(.+)')}$`, 'm').exec(subjectOf(cert))?.[1];
  if (tenant === undefined) {
    throw new CodedError('AUTHORITY_BAD', `${folder} holds no authority: start the fleet once`, {
      folder,
    });
  }
  const signer = await openRoot(folder, tenant, clock);
  await keepServer({ ...server, name: `${server.name}.${tenant}` }, signer, clock);
  return { tenant, certificatePem: signer.cert };
}

function subjectOf(cert: string): string {
  try {
    return new X509Certificate(cert).subject;
  } catch {
    return ''; // absent or damaged: the caller says so
  }
}

/** The one in the file, or a new one written there. */
async function keepServer(
  { path, name, names }: { path: string; name: string; names: readonly string[] },
  signer: Signer,
  clock: Clock,
): Promise<Issued> {
  const kept = await readServer(path, names, clock);
  if (kept !== undefined) return kept;
  const subject = { organisation: organisation.server, commonName: name };
  const validity = validityOf(clock, leafDays);
  const made = await issueWithKey({ subject, validity, use: 'serverAuth', names }, signer);
  await writeDurable(path, made.key + made.cert, { mode: 0o600 });
  return made;
}

const rootName = (tenant: string): string => `Wherry authority of ${tenant}`;

/** SHA-256 of a PEM certificate's DER, base64url without padding. */
export function pinOf(certificatePem: string): string {
  return createHash('sha256').update(new X509Certificate(certificatePem).raw).digest('base64url');
}

async function openRoot(folder: string, tenant: string, clock: Clock): Promise<Signer> {
  const certPath = join(folder, 'ca.crt');
  const keyPath = join(folder, 'ca.key');
  const [oldCert, oldKey] = await Promise.all([readIfThere(certPath), readIfThere(keyPath)]);
  const name = rootName(tenant);
  if (oldCert !== undefined) return checkRoot(folder, name, String(oldCert), oldKey);
  // The key is written first: a certificate on the disk always has its key beside it.
  const key = oldKey === undefined ? await makePrivateKey() : String(oldKey);
  if (oldKey === undefined) await writeDurable(keyPath, key, { mode: 0o600 });
  const subject = { organisation: organisation.authority, commonName: name };
  const cert = await makeRoot(subject, key, validityOf(clock, rootDays));
  await writeDurable(certPath, cert);
  return { cert, key };
}

function checkRoot(folder: string, name: string, cert: string, key: Buffer | undefined): Signer {
  const bad = (what: string, cause?: unknown): CodedError =>
    new CodedError('AUTHORITY_BAD', `${folder}: ${what}`, { folder }, { cause });
  if (key === undefined) throw bad('ca.crt has no ca.key beside it');
  let certificate: X509Certificate;
  let isPair: boolean;
  try {
    certificate = new X509Certificate(cert);
    isPair = certificate.checkPrivateKey(createPrivateKey(String(key)));
  } catch (error) {
    throw bad('ca.crt or ca.key is damaged', error);
  }
  if (!isPair) throw bad('ca.key is not the key of ca.crt');
  if (!certificate.subject.split('\n').includes(`CN=${name}`)) {
    throw bad(`ca.crt is not of "${name}"; this folder is another tenant's`);
  }
  return { cert, key: String(key) };
}

async function readServer(
  path: string,
  names: readonly string[],
  clock: Clock,
): Promise<Issued | undefined> {
  const text = String((await readIfThere(path)) ?? '');
  const at = text.indexOf('-----BEGIN CERTIFICATE-----');
  if (at <= 0) return undefined;
  const pair = { key: text.slice(0, at), cert: text.slice(at) };
  try {
    const certificate = new X509Certificate(pair.cert);
    const isOurs = certificate.checkPrivateKey(createPrivateKey(pair.key));
    const had = certificate.subjectAltName?.split(', ') ?? [];
    const wanted = names.map((name) => `${isIP(name) === 0 ? 'DNS' : 'IP Address'}:${name}`);
    const hasNames = had.length === wanted.length && wanted.every((name) => had.includes(name));
    return isOurs && hasNames && !isDue(pair.cert, clock) ? pair : undefined;
  } catch {
    return undefined; // damaged: a new one is made
  }
}

/** Two thirds of the certificate's life have passed. */
function isDue(cert: string, clock: Clock): boolean {
  const { validFrom, validTo } = new X509Certificate(cert);
  const from = Date.parse(validFrom);
  return clock.now() > from + ((Date.parse(validTo) - from) * 2) / 3;
}

/** From a day ago, since clocks of devices differ. */
function validityOf(clock: Clock, days: number): { notBefore: Date; notAfter: Date } {
  const now = clock.now();
  return { notBefore: new Date(now - dayMs), notAfter: new Date(now + days * dayMs) };
}
