// SPDX-License-Identifier: Apache-2.0
// Credentials as `docker login`, `podman login` and `skopeo login` keep them: {"auths":{HOST:{"auth":base64}}}.
// The first file that is there counts. Credential helpers are programs of others: they are not run.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../../adapters/durable.js';
import { object, optional, record, string } from '../../protocol/check.js';
import { CodedError, messageOf } from '../../protocol/error.js';
import { parseJson } from '../../protocol/json.js';
import type { Credentials } from './tokens.js';

const hostCountMax = 256;
const host = string({ lengthMax: 512 });
const login = object({ auth: optional(string({ lengthMax: 16_384 })) }, { open: true });
const document = object({ auths: optional(record(host, login, hostCountMax)) }, { open: true });

/** Where logins are kept, first wins: $REGISTRY_AUTH_FILE, podman's, docker's. */
export function authFilesOf(env: NodeJS.ProcessEnv): string[] {
  const [named, runtime, home] = [env['REGISTRY_AUTH_FILE'], env['XDG_RUNTIME_DIR'], env['HOME']];
  if (named !== undefined && named !== '') return [named];
  return [
    ...(runtime === undefined ? [] : [join(runtime, 'containers/auth.json')]),
    ...(home === undefined ? [] : [join(home, '.docker/config.json')]),
  ];
}

/** Looks a host up in the first file that is there; none there is no error. @throws CONFIG_BAD */
export function credentialsFrom(
  paths: readonly string[],
): (host: string) => Credentials | undefined {
  let logins: Map<string, Credentials> | undefined;
  return (wanted) => {
    logins ??= readLogins(paths);
    return logins.get(wanted) ?? logins.get(`https://${wanted}`) ?? logins.get(legacyOf(wanted));
  };
}

/** Docker Hub's logins stand under the address of its first registry. */
function legacyOf(wanted: string): string {
  return wanted === 'docker.io' ? 'https://index.docker.io/v1/' : wanted;
}

function readLogins(paths: readonly string[]): Map<string, Credentials> {
  for (const path of paths) {
    let text: string;
    try {
      text = readFileSync(path, 'utf8');
    } catch (error) {
      if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') continue;
      throw bad(`${path}: ${messageOf(error)}`, error);
    }
    return parseLogins(text, path);
  }
  return new Map();
}

function parseLogins(text: string, path: string): Map<string, Credentials> {
  let found: ReturnType<typeof document>;
  try {
    found = document(parseJson(text, path), path);
  } catch (error) {
    throw bad(messageOf(error), error);
  }
  const logins = new Map<string, Credentials>();
  for (const [name, { auth }] of Object.entries(found.auths ?? {})) {
    const pair = Buffer.from(auth ?? '', 'base64').toString('utf8');
    const colon = pair.indexOf(':');
    if (colon < 1) continue; // kept by a credential helper
    logins.set(name, { username: pair.slice(0, colon), password: pair.slice(colon + 1) });
  }
  return logins;
}

function bad(what: string, cause: unknown): CodedError {
  return new CodedError('CONFIG_BAD', what, {}, { cause });
}
