// SPDX-License-Identifier: Apache-2.0
// Credentials as docker, podman, skopeo and buildah keep them: {"auths":{HOST[/PATH]:{"auth":base64}}, "credHelpers",
// "credsStore"}. Files are asked in order until one knows the registry; in a file a credential program goes
// before what is written down, and a longer path before a shorter one. Unknown fields stay when we write.

import { dirname, join } from 'node:path';
import { errnoOf, makeFolder, readIfThere, writeDurable } from '../../adapters/durable.js';
import { type Checked, object, optional, record, string } from '../../protocol/check.js';
import { CodedError, messageOf } from '../../protocol/error.js';
import { parseJson } from '../../protocol/json.js';
import { keychainErase, keychainGet, keychainName, keychainStore } from './keychain.js';
import { type CredentialSource, type Credentials, refreshUser } from './tokens.js';

const hostCountMax = 256;
const host = string({ lengthMax: 512 });
const keychain = string({ pattern: keychainName, form: 'the NAME of a docker-credential-NAME' });
const login = object(
  {
    auth: optional(string({ lengthMax: 65_536 })),
    identitytoken: optional(string({ lengthMax: 65_536 })),
  },
  { open: true },
);
const document = object(
  {
    auths: optional(record(host, login, hostCountMax)),
    credHelpers: optional(record(host, keychain, hostCountMax)),
    credsStore: optional(string({ lengthMax: 64 })),
  },
  { open: true },
);
type Document = Checked<typeof document>;

/** Where logins are looked up, in order: $REGISTRY_AUTH_FILE alone, or podman's and docker's. */
export function authFilesOf(env: NodeJS.ProcessEnv): string[] {
  const named = env['REGISTRY_AUTH_FILE'];
  if (named !== undefined && named !== '') return [named];
  const [config, docker, home] = [env['XDG_CONFIG_HOME'], env['DOCKER_CONFIG'], env['HOME']];
  const below = (path: string): string[] => (home === undefined ? [] : [join(home, path)]);
  return [
    runtimeFile(env),
    ...(config === undefined
      ? below('.config/containers/auth.json')
      : [join(config, 'containers/auth.json')]),
    ...(docker === undefined ? below('.docker/config.json') : [join(docker, 'config.json')]),
  ];
}

function runtimeFile(env: NodeJS.ProcessEnv): string {
  const runtime = env['XDG_RUNTIME_DIR'];
  const folder =
    runtime === undefined || runtime === ''
      ? `/run/containers/${process.getuid?.() ?? 0}`
      : join(runtime, 'containers');
  return join(folder, 'auth.json');
}

/** None there is no error; each file is read once. @throws CONFIG_BAD, REGISTRY_HELPER */
export function credentialsFrom(paths: readonly string[]): CredentialSource {
  const read = new Map<string, Promise<Document>>();
  return async (wanted, repository) => {
    for (const path of paths) {
      const file = read.get(path) ?? readFile(path);
      read.set(path, file);
      const found = await loginIn(await file, wanted, repository);
      if (found !== undefined) return found;
    }
    return undefined;
  };
}

async function loginIn(
  file: Document,
  wanted: string,
  repository: string,
): Promise<Credentials | undefined> {
  const name = keychainOf(file, wanted);
  const kept = name === undefined ? undefined : await keychainGet(name, serverOf(wanted));
  return kept ?? writtenIn(file, wanted, repository);
}

function keychainOf(
  { credHelpers = {}, credsStore }: Document,
  wanted: string,
): string | undefined {
  const own = namesOf(wanted).find((name) => Object.hasOwn(credHelpers, name));
  return own === undefined ? credsStore || undefined : credHelpers[own];
}

/** Docker Hub's logins stand under the address of its first registry. */
function serverOf(wanted: string): string {
  return wanted === 'docker.io' ? 'https://index.docker.io/v1/' : wanted;
}

function namesOf(wanted: string): string[] {
  return [wanted, `https://${wanted}`, `https://${wanted}/`, serverOf(wanted)];
}

/** The most specific path first (containers-auth.json(5)). */
function writtenIn(
  { auths = {} }: Document,
  wanted: string,
  repository: string,
): Credentials | undefined {
  const parts = repository === '' ? [] : repository.split('/');
  const paths = parts.map((_, at) => `${wanted}/${parts.slice(0, parts.length - at).join('/')}`);
  for (const name of [...paths, ...namesOf(wanted)]) {
    const found = Object.hasOwn(auths, name) ? decode(auths[name] ?? {}) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

function decode({ auth, identitytoken }: Checked<typeof login>): Credentials | undefined {
  if (identitytoken !== undefined && identitytoken !== '') {
    return { username: refreshUser, password: identitytoken };
  }
  const pair = Buffer.from(auth ?? '', 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  if (colon < 1) return undefined; // an empty entry says only that a credential program has it
  return { username: pair.slice(0, colon), password: pair.slice(colon + 1).replace(/\0+$/, '') };
}

async function readFile(path: string): Promise<Document> {
  return parse((await readText(path)) ?? '{}', path);
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return (await readIfThere(path))?.toString('utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOTDIR') return undefined;
    throw bad(`${path}: ${messageOf(error)}`, error);
  }
}

function parse(text: string, path: string): Document {
  try {
    return document(parseJson(text.trim() === '' ? '{}' : text, path), path);
  } catch (error) {
    throw bad(messageOf(error), error);
  }
}

/** Into the credential program that the file names for the host, else into the file, mode 0600. Gives where. */
export async function keepLogin(path: string, wanted: string, given: Credentials): Promise<string> {
  const text = (await readText(path)) ?? '{}';
  const name = keychainOf(parse(text, path), wanted);
  if (name !== undefined) {
    await keychainStore(name, serverOf(wanted), given);
    return `docker-credential-${name}`;
  }
  const auth = Buffer.from(`${given.username}:${given.password}`).toString('base64');
  await change(path, text, (auths) => ({ ...auths, [serverOf(wanted)]: { auth } }));
  return path;
}

/** True where there was one. @throws CONFIG_BAD, REGISTRY_HELPER */
export async function dropLogin(path: string, wanted: string): Promise<boolean> {
  const text = await readText(path);
  if (text === undefined) return false;
  const file = parse(text, path);
  const name = keychainOf(file, wanted);
  const inProgram = name !== undefined && (await keychainGet(name, serverOf(wanted))) !== undefined;
  if (name !== undefined && inProgram) await keychainErase(name, serverOf(wanted));
  const written = namesOf(wanted).filter((one) => Object.hasOwn(file.auths ?? {}, one));
  if (written.length === 0) return inProgram;
  await change(path, text, (auths) =>
    Object.fromEntries(Object.entries(auths).filter(([one]) => !written.includes(one))),
  );
  return true;
}

async function change(
  path: string,
  text: string,
  edit: (auths: Record<string, unknown>) => Record<string, unknown>,
): Promise<void> {
  const whole = parseJson(text.trim() === '' ? '{}' : text, path) as Record<string, unknown>;
  const auths = edit((whole['auths'] ?? {}) as Record<string, unknown>);
  await makeFolder(dirname(path), 0o700);
  await writeDurable(path, `${JSON.stringify({ ...whole, auths }, null, '\t')}\n`, { mode: 0o600 });
}

function bad(what: string, cause: unknown): CodedError {
  return new CodedError('CONFIG_BAD', what, {}, { cause });
}
