// SPDX-License-Identifier: Apache-2.0
// Fetches manifests, indexes and other small things of a registry (OCI distribution-spec §Pull): whole, bounded
// and checked against their digest. A manifest asked for by tag has the digest of its bytes.

import type { Clock } from '../../adapters/clock.js';
import { type HttpResponse, readBody } from '../../adapters/http.js';
import { CodedError } from '../../protocol/error.js';
import { type Digest, isDigest } from '../../protocol/name.js';
import { checkBytes, digestOf, documentBytesMax, wrongBytes } from '../oci/document.js';
import { acceptManifests } from '../oci/media.js';
import { nameOf, type Reference } from '../oci/reference.js';
import type { Exchange } from './exchange.js';
import { networkError, type Subject } from './failure.js';
import { type RetryRule, withRetry } from './retry.js';

export interface RegistryContext {
  readonly exchange: Exchange;
  /** How the registry is spoken to: `https://host`. */
  origin(host: string, signal?: AbortSignal): Promise<URL>;
  readonly rule: RetryRule;
  readonly clock: Clock;
}

export interface FetchedManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly bytes: Buffer;
}

export function subjectOf(reference: Reference, what: string, name: string): Subject {
  return { host: reference.host, what, name: `${nameOf(reference)} ${name}` };
}

/** By digest where the reference has one, else by tag. @throws IMAGE_UNKNOWN, IMAGE_DIGEST, IMAGE_LIMIT, REGISTRY_* */
export async function fetchManifest(
  context: RegistryContext,
  reference: Reference,
  signal?: AbortSignal,
): Promise<FetchedManifest> {
  const wanted = reference.digest ?? reference.tag ?? 'latest';
  const subject = subjectOf(reference, 'manifest', wanted);
  const attempt = async (): Promise<FetchedManifest> => {
    const response = await context.exchange({
      method: 'GET',
      path: `/v2/${reference.repository}/manifests/${wanted}`,
      headers: { accept: acceptManifests.join(', '), 'accept-encoding': 'identity' },
      scope: { host: reference.host, repository: reference.repository, actions: 'pull' },
      subject,
      statuses: [200],
      signal,
    });
    const bytes = await readSmall(response, subject);
    const digest = reference.digest ?? digestOf(bytes);
    checkBytes(bytes, { digest }, `the manifest that ${reference.host} sent for`);
    checkHeader(response, digest, subject);
    return { digest, mediaType: typeOf(response), bytes };
  };
  return withRetry(attempt, { rule: context.rule, clock: context.clock, signal });
}

async function readSmall(response: HttpResponse, subject: Subject): Promise<Buffer> {
  let bytes: Buffer | undefined;
  try {
    bytes = await readBody(response, documentBytesMax);
  } catch (error) {
    throw networkError(error, subject);
  }
  if (bytes !== undefined) return bytes;
  const { host, what, name } = subject;
  throw new CodedError(
    'IMAGE_LIMIT',
    `the registry ${host} sent a ${what} longer than ${documentBytesMax} bytes (${name})`,
    { host },
  );
}

function typeOf(response: HttpResponse): string {
  return (response.headers['content-type'] ?? '').split(';')[0]?.trim() ?? '';
}

/** A header that names other bytes shows a registry or proxy at fault; it is never what we trust. */
function checkHeader(response: HttpResponse, digest: Digest, subject: Subject): void {
  const said = response.headers['docker-content-digest'];
  if (typeof said === 'string' && isDigest(said) && said !== digest) {
    throw wrongBytes(`the manifest that ${subject.host} calls`, said, `has the digest ${digest}`);
  }
}
