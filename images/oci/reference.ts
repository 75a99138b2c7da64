// SPDX-License-Identifier: Apache-2.0
// Image references, as Docker people write them: `web`, `user/web:1.2`, `host:5000/a/b@sha256:…`. Names
// without a host mean docker.io, names without a slash there mean library/, no tag means latest.

import { CodedError } from '../../protocol/error.js';
import { type Digest, isDigest } from '../../protocol/name.js';

export interface Reference {
  /** host[:port], lower case. */
  readonly host: string;
  readonly repository: string;
  readonly tag?: string;
  /** Wins over the tag where both are there. */
  readonly digest?: Digest;
}

const lengthMax = 512;
const repositoryLengthMax = 255;
const label = '[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?';
const hostPattern = new RegExp(
  `^(?:${label}(?:\\.${label})*|\\[[0-9a-fA-F:.]{2,45}\\])(?::([0-9]{1,5}))?$`,
);
const partPattern = /^[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*$/;
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;

/** @throws IMAGE_REFERENCE with the part that is wrong */
export function parseReference(text: string): Reference {
  if (text.length > lengthMax) throw bad(text.slice(0, 64), `is longer than ${lengthMax}`);
  const [beforeDigest, digest] = splitDigest(text);
  const [name, tag] = splitTag(beforeDigest, text);
  const [host, repository] = splitHost(name);
  checkHost(host, text);
  checkRepository(repository, text);
  return {
    host: host.toLowerCase(),
    repository,
    ...(tag !== undefined || digest === undefined ? { tag: tag ?? 'latest' } : {}),
    ...(digest === undefined ? {} : { digest }),
  };
}

/** The whole reference, host and tag included; parseReference gives it back. */
export function formatReference(reference: Reference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  const digest = reference.digest === undefined ? '' : `@${reference.digest}`;
  return `${reference.host}/${reference.repository}${tag}${digest}`;
}

/** host/repository, for messages and scopes. */
export function nameOf(reference: Reference): string {
  return `${reference.host}/${reference.repository}`;
}

function splitDigest(text: string): [string, Digest | undefined] {
  const at = text.indexOf('@');
  if (at < 0) return [text, undefined];
  const digest = text.slice(at + 1);
  if (!isDigest(digest)) throw bad(text, 'has a digest that is not sha256:<64 hex digits>');
  return [text.slice(0, at), digest];
}

function splitTag(text: string, whole: string): [string, string | undefined] {
  const colon = text.lastIndexOf(':');
  if (colon < 0 || colon < text.lastIndexOf('/')) return [text, undefined];
  const tag = text.slice(colon + 1);
  if (!tagPattern.test(tag)) throw bad(whole, `has a bad tag '${tag.slice(0, 64)}'`);
  return [text.slice(0, colon), tag];
}

function splitHost(name: string): [string, string] {
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  const isHost = /[.:]/.test(first) || first === 'localhost';
  const host = isHost ? first : 'docker.io';
  const rest = isHost ? name.slice(slash + 1) : name;
  if (host !== 'docker.io' && host !== 'index.docker.io') return [host, rest];
  return ['docker.io', rest.includes('/') ? rest : `library/${rest}`];
}

function checkHost(host: string, text: string): void {
  const port = hostPattern.exec(host)?.[1];
  const isPort = port === undefined || (Number(port) > 0 && Number(port) < 65_536);
  if (!hostPattern.test(host) || !isPort) throw bad(text, `has a bad host '${host.slice(0, 64)}'`);
}

function checkRepository(repository: string, text: string): void {
  if (repository.length > repositoryLengthMax) {
    throw bad(text.slice(0, 64), `has a repository longer than ${repositoryLengthMax}`);
  }
  const wrong = repository.split('/').find((part) => !partPattern.test(part));
  if (wrong !== undefined) {
    throw bad(
      text,
      `has a bad part '${wrong.slice(0, 64)}': lower case letters, digits, . _ - only`,
    );
  }
}

function bad(text: string, what: string): CodedError {
  const shown = JSON.stringify(text);
  return new CodedError('IMAGE_REFERENCE', `the image reference ${shown} ${what}`, {
    reference: text,
  });
}
