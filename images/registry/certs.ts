// SPDX-License-Identifier: Apache-2.0
// The TLS identity for a registry, by Docker's convention: a folder HOST[:PORT] with *.crt (authorities),
// *.cert and *.key of one name (ours). The first folder that is there wins. With a *.crt only those
// authorities are believed for that host, not the public ones: stricter than Docker, and meant.

import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { errnoOf } from '../../adapters/durable.js';
import type { TlsIdentity } from '../../adapters/http.js';
import { CodedError, messageOf } from '../../protocol/error.js';

const fileCountMax = 64;
const fileBytesMax = 256 * 1024;

/** Where certificates are looked up, first wins. `config`: /etc/wherry; `explicit`: the --cert-dir option. */
export function certDirsOf(config: string, explicit?: string): string[] {
  return [
    ...(explicit === undefined ? [] : [explicit]),
    join(config, 'certs.d'),
    '/etc/containers/certs.d',
    '/etc/docker/certs.d',
  ];
}

/**
 * The identity for a host, or undefined. A folder that is not called certs.d may also hold the files itself,
 * as skopeo's --cert-dir does; that counts for every host. @throws REGISTRY_CERTS
 */
export async function identityOf(
  host: string,
  dirs: readonly string[],
): Promise<TlsIdentity | undefined> {
  for (const dir of dirs) {
    const own = await readIdentity(join(dir, host));
    const found = own ?? (basename(dir) === 'certs.d' ? undefined : await readIdentity(dir));
    if (found !== undefined) return found;
  }
  return undefined;
}

async function readIdentity(dir: string): Promise<TlsIdentity | undefined> {
  const names = await namesOf(dir);
  const authorities = names.filter((name) => name.endsWith('.crt'));
  const certs = names.filter((name) => name.endsWith('.cert'));
  if (authorities.length === 0 && certs.length === 0) return undefined;
  const ca: string[] = [];
  for (const name of authorities) ca.push(await readPem(join(dir, name)));
  const [cert] = certs;
  return {
    ...(ca.length === 0 ? {} : { ca: ca.join('\n') }),
    ...(cert === undefined ? {} : await readPair(dir, cert, names)),
  };
}

async function readPair(
  dir: string,
  cert: string,
  names: readonly string[],
): Promise<{ cert: string; key: string }> {
  const key = cert.replace(/\.cert$/, '.key');
  if (!names.includes(key)) throw bad(`${join(dir, cert)} has no ${key} beside it`);
  return { cert: await readPem(join(dir, cert)), key: await readPem(join(dir, key)) };
}

async function namesOf(dir: string): Promise<string[]> {
  try {
    return (await readdir(dir)).sort().slice(0, fileCountMax);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return [];
    throw bad(`${dir} is not readable: ${messageOf(error)}`, error);
  }
}

async function readPem(path: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw bad(`${path} is not readable: ${messageOf(error)}`, error);
  }
  if (text.length > fileBytesMax || !text.includes('-----BEGIN ')) throw bad(`${path} is not PEM`);
  return text;
}

function bad(what: string, cause?: unknown): CodedError {
  return new CodedError('REGISTRY_CERTS', what, {}, cause === undefined ? {} : { cause });
}
