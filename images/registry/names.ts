// SPDX-License-Identifier: Apache-2.0
// Names at a registry: the tags of a repository, page by page; taking a manifest away; and whether credentials are
// taken at all. OCI distribution-spec §Content Discovery, §Content Management.

import { type HttpResponse, readBody } from '../../adapters/http.js';
import { array, nullable, object, string } from '../../protocol/check.js';
import { messageOf } from '../../protocol/error.js';
import { parseJson } from '../../protocol/json.js';
import { documentBytesMax } from '../oci/document.js';
import type { Reference } from '../oci/reference.js';
import { networkError, protocolError, type Subject } from './failure.js';
import { type RegistryContext, subjectOf } from './manifest.js';
import { withRetry } from './retry.js';

const pageSize = 1000;
const pageCountMax = 100;
const tagList = object(
  { tags: nullable(array(string({ lengthMax: 128 }), 20_000)) },
  { open: true },
);

/** In the registry's order. @throws IMAGE_UNKNOWN, REGISTRY_* */
export async function fetchTags(
  context: RegistryContext,
  reference: Reference,
  signal?: AbortSignal,
): Promise<string[]> {
  const subject = subjectOf(reference, 'manifest', 'tags');
  const tags: string[] = [];
  let path: string | URL = `/v2/${reference.repository}/tags/list?n=${pageSize}`;
  for (let count = 0; count < pageCountMax; count += 1) {
    const page = await onePage(context, reference, subject, path, signal);
    tags.push(...page.tags);
    if (page.next === undefined) return tags;
    path = page.next;
  }
  throw protocolError(`lists more than ${pageCountMax} pages of tags`, subject);
}

async function onePage(
  context: RegistryContext,
  reference: Reference,
  subject: Subject,
  path: string | URL,
  signal: AbortSignal | undefined,
): Promise<{ tags: string[]; next: URL | undefined }> {
  const { host, repository } = reference;
  const attempt = async (): Promise<HttpResponse> =>
    context.exchange({
      method: 'GET',
      path,
      scope: { host, repository, actions: 'pull' },
      subject,
      statuses: [200],
      signal,
    });
  const response = await withRetry(attempt, { rule: context.rule, clock: context.clock, signal });
  const origin = await context.origin(host, signal);
  const text = await bodyOf(response, subject);
  try {
    const value = parseJson(text, 'tags', { bytesMax: documentBytesMax });
    return { tags: tagList(value, 'tags').tags ?? [], next: nextOf(response, origin) };
  } catch (error) {
    throw protocolError(`lists tags in another form: ${messageOf(error)}`, subject);
  }
}

async function bodyOf(response: HttpResponse, subject: Subject): Promise<string> {
  let bytes: Buffer | undefined;
  try {
    bytes = await readBody(response, documentBytesMax);
  } catch (error) {
    throw networkError(error, subject);
  }
  if (bytes === undefined) throw protocolError('sent a list without end', subject);
  return bytes.toString('utf8');
}

/** Link: <…>; rel="next" (RFC 8288); one that leads to another host is not followed. */
function nextOf(response: HttpResponse, origin: URL): URL | undefined {
  const target = /^\s*<([^<>]{1,2048})>\s*;.*rel="?next"?/i.exec(
    String(response.headers['link'] ?? ''),
  );
  if (target === null) return undefined;
  const next = new URL(target[1] ?? '', origin);
  return next.host === origin.host ? new URL(next.pathname + next.search, origin) : undefined;
}

/** By digest where there is one, else the tag. @throws IMAGE_UNKNOWN, REGISTRY_* */
export async function removeManifest(
  context: RegistryContext,
  reference: Reference,
  signal?: AbortSignal,
): Promise<void> {
  const { host, repository } = reference;
  const name = reference.digest ?? reference.tag ?? 'latest';
  const response = await context.exchange({
    method: 'DELETE',
    path: `/v2/${repository}/manifests/${name}`,
    scope: { host, repository, actions: 'delete' },
    subject: subjectOf(reference, 'manifest', name),
    statuses: [200, 202, 204],
    signal,
  });
  await response.discard();
}

/** Asks for nothing but to be let in. @throws REGISTRY_* */
export async function checkLogin(
  context: RegistryContext,
  host: string,
  signal?: AbortSignal,
): Promise<void> {
  const response = await context.exchange({
    method: 'GET',
    path: '/v2/',
    scope: { host, repository: '', actions: 'pull' },
    subject: { host, what: 'login', name: '/v2/' },
    statuses: [200],
    signal,
  });
  await response.discard();
}
