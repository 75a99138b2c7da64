// SPDX-License-Identifier: Apache-2.0
// Docker's credential programs, docker-credential-NAME on the PATH (docker-credential-helpers): get, store and erase
// the login of one registry. The secret goes through pipes only. A program that says it knows nothing of the
// registry is an answer; one that fails otherwise is an error.

import { type Finished, run } from '../../adapters/exec.js';
import { object, string } from '../../protocol/check.js';
import { CodedError, messageOf } from '../../protocol/error.js';
import { parseJson } from '../../protocol/json.js';
import type { Credentials } from './tokens.js';

export const keychainName = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;
const answerMs = 30_000;
const login = object(
  { Username: string({ lengthMax: 512 }), Secret: string({ lengthMax: 64 * 1024 }) },
  { open: true },
);

/** Undefined where it holds none for the server. @throws REGISTRY_HELPER */
export async function keychainGet(name: string, server: string): Promise<Credentials | undefined> {
  const { code, stdout, stderr } = await ask(name, 'get', server);
  if (code !== 0) {
    if (/not found|no credentials|no such/i.test(`${stdout}${stderr}`)) return undefined;
    throw failed(name, 'get', `${stdout}${stderr}`);
  }
  try {
    const { Username, Secret } = login(parseJson(stdout, 'answer'), 'answer');
    return { username: Username, password: Secret };
  } catch {
    throw failed(name, 'get', 'it answers in another form'); // without its answer: a secret may be in it
  }
}

/** @throws REGISTRY_HELPER */
export async function keychainStore(
  name: string,
  server: string,
  { username, password }: Credentials,
): Promise<void> {
  const input = JSON.stringify({ ServerURL: server, Username: username, Secret: password });
  const { code, stdout, stderr } = await ask(name, 'store', input);
  if (code !== 0) throw failed(name, 'store', `${stdout}${stderr}`);
}

/** @throws REGISTRY_HELPER */
export async function keychainErase(name: string, server: string): Promise<void> {
  const { code, stdout, stderr } = await ask(name, 'erase', server);
  if (code !== 0) throw failed(name, 'erase', `${stdout}${stderr}`);
}

async function ask(name: string, verb: string, input: string): Promise<Finished> {
  if (!keychainName.test(name)) throw failed(name.slice(0, 64), verb, 'that is no name of one');
  // A signal and not a time limit of the child: that one's timer outlives a program that is not there.
  const signal = AbortSignal.timeout(answerMs);
  try {
    return await run(`docker-credential-${name}`, [verb], { input, signal });
  } catch (error) {
    throw failed(name, verb, messageOf(error), error);
  }
}

function failed(name: string, verb: string, what: string, cause?: unknown): CodedError {
  const said = what.trim().slice(0, 300);
  const message = `docker-credential-${name} ${verb} failed: ${said}`;
  return new CodedError('REGISTRY_HELPER', message, { name }, cause === undefined ? {} : { cause });
}
