// SPDX-License-Identifier: Apache-2.0
// Reads a request's path and query into one of the end points of the OCI distribution specification. Every
// name, tag and digest is checked here, so that nothing else can become a file name.

import { type Digest, isDigest } from '../../protocol/name.js';
import { Refusal } from './types.js';

export type Reference = { kind: 'tag'; tag: string } | { kind: 'digest'; digest: Digest };

export type Route =
  | { at: 'base' }
  | { at: 'catalog' }
  | { at: 'tags'; name: string }
  | { at: 'manifest'; name: string; reference: Reference }
  | { at: 'blob'; name: string; digest: Digest }
  | { at: 'uploads'; name: string }
  | { at: 'upload'; name: string; id: string }
  | { at: 'referrers'; name: string; digest: Digest };

const nameLengthMax = 200;
const partsMax = 8;
/** Distribution-spec §Pulling manifests: one component of <name>. */
const part = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const uploadPattern = /^[0-9a-f]{32}$/;

/** Undefined where the path is no end point. @throws Refusal for a bad name, tag or digest */
export function parseRoute(path: string): Route | undefined {
  if (path === '/v2' || path === '/v2/') return { at: 'base' };
  const words = decode(path).split('/').slice(1);
  if (words[0] !== 'v2') return undefined;
  if (words.length === 2 && words[1] === '_catalog') return { at: 'catalog' };
  return parseNamed(words.slice(1));
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path); // once: what is still encoded then matches no pattern
  } catch {
    throw new Refusal(400, 'NAME_INVALID', 'the path is not well encoded');
  }
}

/** The end points are told by their last words, since a name may have any count of parts. */
function parseNamed(words: readonly string[]): Route | undefined {
  const [third, second, last] = [words.at(-3), words.at(-2), words.at(-1) ?? ''];
  if (third === 'blobs' && second === 'uploads') {
    const name = nameOf(words.slice(0, -3));
    if (last === '') return { at: 'uploads', name };
    if (uploadPattern.test(last)) return { at: 'upload', name, id: last };
    throw new Refusal(404, 'BLOB_UPLOAD_UNKNOWN', 'there is no such upload');
  }
  if (second === 'blobs' && last === 'uploads') {
    return { at: 'uploads', name: nameOf(words.slice(0, -2)) };
  }
  switch (second) {
    case 'tags':
      return last === 'list' ? { at: 'tags', name: nameOf(words.slice(0, -2)) } : undefined;
    case 'manifests':
      return { at: 'manifest', name: nameOf(words.slice(0, -2)), reference: referenceOf(last) };
    case 'blobs':
      return { at: 'blob', name: nameOf(words.slice(0, -2)), digest: digestOf(last) };
    case 'referrers':
      return { at: 'referrers', name: nameOf(words.slice(0, -2)), digest: digestOf(last) };
    default:
      return undefined;
  }
}

/** @throws Refusal NAME_INVALID */
export function checkName(name: string): string {
  return nameOf(name.split('/'));
}

function nameOf(parts: readonly string[]): string {
  const name = parts.join('/');
  const isSound =
    parts.length > 0 &&
    parts.length <= partsMax &&
    name.length <= nameLengthMax &&
    parts.every((word) => part.test(word));
  if (isSound) return name;
  throw new Refusal(400, 'NAME_INVALID', `the repository name ${show(name)} is not allowed`);
}

function referenceOf(text: string): Reference {
  if (text.includes(':')) return { kind: 'digest', digest: digestOf(text) };
  if (tagPattern.test(text)) return { kind: 'tag', tag: text };
  throw new Refusal(400, 'MANIFEST_INVALID', `the tag ${show(text)} is not allowed`);
}

/** @throws Refusal DIGEST_INVALID */
export function digestOf(text: string): Digest {
  if (isDigest(text)) return text;
  throw new Refusal(
    400,
    'DIGEST_INVALID',
    `the digest ${show(text)} is not sha256:<64 hex digits>`,
  );
}

const show = (text: string): string => JSON.stringify(text.slice(0, 80));

/** `n` and `last` of the listings. @throws Refusal */
export function pageOf(query: URLSearchParams): { count: number | undefined; last: string } {
  const n = query.get('n');
  if (n !== null && !/^\d{1,6}$/.test(n)) {
    throw new Refusal(400, 'UNSUPPORTED', 'n must be a whole number up to 999999');
  }
  return { count: n === null ? undefined : Number(n), last: query.get('last') ?? '' };
}
