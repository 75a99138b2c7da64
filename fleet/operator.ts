// SPDX-License-Identifier: Apache-2.0
// The folder that makes a person an operator: ca.crt, client.cert, client.key (Docker's names, so that image
// tools take it as --cert-dir), release-key.pem, endpoint.json. `serve` writes it, every other command reads it.

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { makeFolder, readIfThere, writeDurable } from '../adapters/durable.js';
import { makeKey, readKey } from '../images/sign/key.js';
import { array, type Checked, integer, object, string } from '../protocol/check.js';
import { CodedError } from '../protocol/error.js';
import { parseJson } from '../protocol/json.js';
import { tenant } from '../protocol/name.js';
import type { TrustedKey } from '../protocol/trust.js';
import type { Authority } from '../provisioning/authority/authority.js';

const host = string({ lengthMax: 255 });
const port = integer(1, 65_535);

const endpoint = object({
  tenant,
  /** Where this folder's commands find the server. */
  host,
  port,
  mqttPort: port,
  /** host:port under which images of the fleet's registry are named. */
  registries: array(string({ lengthMax: 262 }), 32),
});
export type Endpoint = Checked<typeof endpoint>;

export interface Operator {
  readonly folder: string;
  readonly endpoint: Endpoint;
  readonly tls: { readonly ca: string; readonly cert: string; readonly key: string };
}

/** @throws OPERATOR_ABSENT, CONFIG_BAD */
export async function readOperator(folder: string): Promise<Operator> {
  const read = async (name: string): Promise<string> => {
    const bytes = await readIfThere(join(folder, name));
    if (bytes !== undefined) return bytes.toString('utf8');
    throw new CodedError('OPERATOR_ABSENT', `${join(folder, name)} is not there`, { folder });
  };
  const text = await read('endpoint.json');
  const tls = {
    ca: await read('ca.crt'),
    cert: await read('client.cert'),
    key: await read('client.key'),
  };
  try {
    return { folder, tls, endpoint: endpoint(parseJson(text, 'endpoint.json'), 'endpoint') };
  } catch (error) {
    const what = `${join(folder, 'endpoint.json')}: ${(error as Error).message}`;
    throw new CodedError('CONFIG_BAD', what, { folder }, { cause: error });
  }
}

/** PEM. @throws OPERATOR_ABSENT */
export async function readReleaseKey(folder: string): Promise<string> {
  const path = join(folder, 'release-key.pem');
  const bytes = await readIfThere(path);
  if (bytes !== undefined) return bytes.toString('utf8');
  throw new CodedError('OPERATOR_ABSENT', `${path} is not there: releases are signed with it`, {
    path,
  });
}

/**
 * The public half of the operator's release key, which the server trusts from then on. A key that is there is
 * never replaced: releases are signed with it, and devices trust it. @throws SIGN_KEY_BAD
 */
export async function openReleaseKey(folder: string): Promise<TrustedKey> {
  const path = join(folder, 'release-key.pem');
  const pem = await readIfThere(path);
  if (pem !== undefined) return readKey(pem.toString('utf8'));
  const { privateKey, trusted } = makeKey();
  await makeFolder(folder, 0o700);
  await writeDurable(path, privateKey, { mode: 0o600 });
  return trusted;
}

/** Writes what `serve` knows; a certificate that is good for a while is kept. */
export async function writeOperator(
  folder: string,
  authority: Authority,
  where: Endpoint,
  nowMs: number,
): Promise<void> {
  await makeFolder(folder, 0o700);
  const ca = authority.certificatePem;
  const isSame = String(await readIfThere(join(folder, 'ca.crt'))) === ca;
  if (!isSame || !(await isGood(folder, nowMs))) {
    const { cert, key } = await authority.issueOperator('admin');
    await writeDurable(join(folder, 'client.key'), key, { mode: 0o600 });
    await writeDurable(join(folder, 'client.cert'), cert);
    await writeDurable(join(folder, 'ca.crt'), ca);
  }
  await writeDurable(join(folder, 'endpoint.json'), `${JSON.stringify(where, null, 2)}\n`);
}

const renewBeforeMs = 90 * 86_400_000;

async function isGood(folder: string, nowMs: number): Promise<boolean> {
  const [cert, key] = await Promise.all(
    ['client.cert', 'client.key'].map((name) => readIfThere(join(folder, name))),
  );
  if (cert === undefined || key === undefined) return false;
  try {
    const certificate = new X509Certificate(cert);
    // Two files, two writes: the power may have gone between them.
    const isPair = certificate.checkPrivateKey(createPrivateKey(key));
    return isPair && Date.parse(certificate.validTo) - renewBeforeMs > nowMs;
  } catch {
    return false; // damaged: a new one is made
  }
}
