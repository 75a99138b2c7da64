// SPDX-License-Identifier: Apache-2.0
// X.509 by @peculiar/x509, the one file that knows it: a root, certificates below it, certificate requests.
// P-256 and SHA-256 only. It decides nothing about names or validity, and keeps nothing.

import 'reflect-metadata'; // the library throws at its first use without it
import { createPrivateKey, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';
import { CodedError } from '../../protocol/error.js';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const crypto = webcrypto;
x509.cryptoProvider.set(crypto);

export interface Subject {
  readonly organisation: string;
  readonly commonName: string;
}

export interface Issued {
  /** PEM. */
  readonly cert: string;
  /** PKCS#8, PEM. */
  readonly key: string;
}

export interface Validity {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** PKCS#8, PEM. */
export async function makePrivateKey(): Promise<string> {
  const { privateKey } = await makePair();
  return pem('PRIVATE KEY', await crypto.subtle.exportKey('pkcs8', privateKey));
}

/** The self-signed certificate of `key`, good for signing certificates only. */
export async function makeRoot(subject: Subject, key: string, validity: Validity): Promise<string> {
  const keys = await importPair(key);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: nameOf(subject),
    ...validity,
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return certificate.toString('pem');
}

export interface Order {
  readonly subject: Subject;
  readonly validity: Validity;
  readonly use: 'serverAuth' | 'clientAuth';
  /** DNS names and IP addresses. */
  readonly names?: readonly string[];
}

export interface Signer {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

/** A certificate for the key of a checked request. */
export async function issueFor(request: Request, order: Order, signer: Signer): Promise<string> {
  return issue(await request.csr.publicKey.export(algorithm, ['verify'], crypto), order, signer);
}

/** A certificate with a key made here. */
export async function issueWithKey(order: Order, signer: Signer): Promise<Issued> {
  const { privateKey, publicKey } = await makePair();
  return {
    cert: await issue(publicKey, order, signer),
    key: pem('PRIVATE KEY', await crypto.subtle.exportKey('pkcs8', privateKey)),
  };
}

export interface Request {
  readonly csr: x509.Pkcs10CertificateRequest;
  /** DER of the public key. */
  readonly spki: Buffer;
}

/** Reads a request and checks that it is signed by the key it names. @throws CSR_BAD */
export async function readRequest(csrPem: string): Promise<Request> {
  let csr: x509.Pkcs10CertificateRequest;
  let isProven: boolean;
  try {
    csr = new x509.Pkcs10CertificateRequest(csrPem);
    isProven = isP256(csr.publicKey) && (await csr.verify(crypto));
  } catch (error) {
    throw new CodedError('CSR_BAD', 'the certificate request is not PKCS#10', {}, { cause: error });
  }
  if (!isProven) {
    throw new CodedError('CSR_BAD', 'the certificate request is not signed by its own P-256 key');
  }
  return { csr, spki: Buffer.from(csr.publicKey.rawData) };
}

function isP256(key: x509.PublicKey): boolean {
  const found = key.algorithm as { name?: string; namedCurve?: string };
  return found.name === 'ECDSA' && found.namedCurve === 'P-256';
}

async function issue(
  publicKey: webcrypto.CryptoKey,
  order: Order,
  signer: Signer,
): Promise<string> {
  const issuer = new x509.X509Certificate(signer.cert);
  const extensions: x509.Extension[] = [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage[order.use]]),
    await x509.SubjectKeyIdentifierExtension.create(publicKey),
    await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
  ];
  if (order.names !== undefined) {
    const names = order.names.map((value) => ({
      type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const),
      value,
    }));
    extensions.push(new x509.SubjectAlternativeNameExtension(names));
  }
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: nameOf(order.subject),
    issuer: issuer.subjectName.toJSON(),
    ...order.validity,
    publicKey,
    signingKey: (await importPair(signer.key)).privateKey,
    signingAlgorithm: algorithm,
    extensions,
  });
  return certificate.toString('pem');
}

function nameOf(subject: Subject): x509.JsonName {
  return [{ O: [subject.organisation] }, { CN: [subject.commonName] }];
}

/** 16 random bytes, positive (RFC 5280 §4.1.2.2). */
function serial(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return Buffer.from(bytes).toString('hex');
}

async function makePair(): Promise<webcrypto.CryptoKeyPair> {
  return crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
}

async function importPair(key: string): Promise<webcrypto.CryptoKeyPair> {
  const jwk = createPrivateKey(key).export({ format: 'jwk' }) as webcrypto.JsonWebKey;
  const { d: _, ...open } = jwk;
  const [privateKey, publicKey] = await Promise.all([
    crypto.subtle.importKey('jwk', jwk, algorithm, true, ['sign']),
    crypto.subtle.importKey('jwk', open, algorithm, true, ['verify']),
  ]);
  return { privateKey, publicKey };
}

function pem(label: string, der: ArrayBuffer): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
