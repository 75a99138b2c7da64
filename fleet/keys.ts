// SPDX-License-Identifier: Apache-2.0
// The keys that the server holds or trusts: its own for assignments and for secrets, and the public halves of
// the release keys. The private release key is the operator's and never needed here.

import { join } from 'node:path';
import { makeFolder, readIfThere, writeDurable } from '../adapters/durable.js';
import { makeKey, readKey } from '../images/sign/key.js';
import { makeSealKey, sealKeyOf } from '../images/sign/seal.js';
import { CodedError } from '../protocol/error.js';
import { parseJson } from '../protocol/json.js';
import { type Trust, trust as trustCheck } from '../protocol/trust.js';
import { epoch } from './config.js';
import { openReleaseKey } from './operator.js';

export interface Keys {
  /** Ed25519, PEM. */
  readonly assignment: string;
  /** X25519, PEM: secrets in the database are sealed to it. */
  readonly seal: string;
  /** What devices are told at enrolment. */
  readonly trust: Trust;
}

/** Written last at the first start: where it is, the fleet has run before. */
export function trustedPath(folder: string): string {
  return join(folder, 'release.json');
}

/** Makes what is not there yet. @throws CONFIG_BAD, SIGN_KEY_BAD, SEAL_KEY_BAD */
export async function openKeys(folder: string, operator: string, tenant: string): Promise<Keys> {
  await makeFolder(folder, 0o700);
  const assignment = await openPem(join(folder, 'assignment.key'), makeKey);
  const seal = await openPem(join(folder, 'seal.key'), makeSealKey);
  sealKeyOf(seal); // a damaged key must show now, not with the first login
  const path = trustedPath(folder);
  const text = await readIfThere(path);
  const release = text === undefined ? [await openReleaseKey(operator)] : parseKeys(text, path);
  const document = { tenant, epoch, release, assignment: [readKey(assignment)] };
  const trust = check(document, path);
  if (text === undefined) await writeDurable(path, `${JSON.stringify(release, null, 2)}\n`);
  return { assignment, seal, trust };
}

async function openPem(path: string, make: () => { privateKey: string }): Promise<string> {
  const bytes = await readIfThere(path);
  if (bytes !== undefined) return bytes.toString('utf8');
  const { privateKey } = make();
  await writeDurable(path, privateKey, { mode: 0o600 });
  return privateKey;
}

function parseKeys(text: Buffer, path: string): unknown {
  return parseJson(text.toString('utf8'), path);
}

function check(document: unknown, path: string): Trust {
  try {
    return trustCheck(document, 'trust');
  } catch (error) {
    throw new CodedError(
      'CONFIG_BAD',
      `${path}: ${(error as Error).message}`,
      { path },
      { cause: error },
    );
  }
}
