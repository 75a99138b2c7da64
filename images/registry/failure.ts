// SPDX-License-Identifier: Apache-2.0
// What went wrong with a registry, as a code: failures of the network, and answers that are not what was
// asked for. The registry's own words are shown, cut short and without control characters.

import { failureOf, type HttpResponse, readBody } from '../../adapters/http.js';
import type { Code } from '../../protocol/codes.js';
import { CodedError, messageOf } from '../../protocol/error.js';

/** What a request is about, for messages: `GET manifest host/repo:tag`. */
export interface Subject {
  readonly host: string;
  /** manifest, blob, upload, token */
  readonly what: string;
  readonly name: string;
}

const wordsBytesMax = 64 * 1024;
const wordsLengthMax = 300;

const failures: Readonly<Record<NonNullable<ReturnType<typeof failureOf>>, [Code, string]>> = {
  timeout: ['REGISTRY_TIMEOUT', 'did not answer in time'],
  'unknown-host': ['REGISTRY_UNREACHABLE', 'has no address'],
  unreachable: ['REGISTRY_UNREACHABLE', 'cannot be reached'],
  cut: ['REGISTRY_UNREACHABLE', 'cut the connection'],
  proxy: ['REGISTRY_PROXY', 'cannot be reached through the proxy'],
  tls: ['REGISTRY_TLS', 'and we do not agree on TLS'],
  'not-tls': ['REGISTRY_PLAIN', 'does not speak TLS'],
  'not-http': ['REGISTRY_PROTOCOL', 'does not speak HTTP'],
};

/** An error of the HTTP client as a coded one; others are given back as they are. */
export function networkError(error: unknown, subject: Subject): unknown {
  const kind = failureOf(error);
  if (kind === undefined) return error;
  const [code, text] = failures[kind];
  const message = `the registry ${subject.host} ${text} (${subject.what} ${subject.name}): ${messageOf(error)}`;
  return new CodedError(code, message, { host: subject.host, failure: kind }, { cause: error });
}

/** The error for an answer with a status that is not the wanted one. Reads the body. */
export async function statusError(response: HttpResponse, subject: Subject): Promise<CodedError> {
  const { status } = response;
  const words = await wordsOf(response);
  const [code, text] = meaningOf(status, subject.what);
  const said = words === '' ? '' : `: ${words}`;
  const message = `the registry ${subject.host} ${text} (${subject.what} ${subject.name}, status ${status})${said}`;
  return new CodedError(code, message, { host: subject.host, status });
}

function meaningOf(status: number, what: string): [Code, string] {
  const isContent = what === 'manifest' || what === 'blob';
  if (status === 404 && isContent) return ['IMAGE_UNKNOWN', `does not have it`];
  if (status === 401) return ['REGISTRY_AUTH', 'wants other credentials'];
  if (status === 403) return ['REGISTRY_DENIED', 'does not allow it'];
  if (status === 408) return ['REGISTRY_TIMEOUT', 'gave up waiting'];
  if (status === 429) return ['REGISTRY_BUSY', 'asks for fewer requests'];
  if (status >= 500) return ['REGISTRY_FAILED', 'failed'];
  if (status >= 400) return ['REGISTRY_REFUSED', 'refused it'];
  return ['REGISTRY_PROTOCOL', 'gave an answer that does not belong here'];
}

export function protocolError(what: string, subject: Subject): CodedError {
  return new CodedError(
    'REGISTRY_PROTOCOL',
    `the registry ${subject.host} ${what} (${subject.what} ${subject.name})`,
    {
      host: subject.host,
    },
  );
}

/** {"errors":[{"code","message"}]} as text (OCI distribution-spec §Error Codes), or the text itself. */
async function wordsOf(response: HttpResponse): Promise<string> {
  let bytes: Buffer | undefined;
  try {
    bytes = await readBody(response, wordsBytesMax);
  } catch {
    return ''; // the status says enough
  }
  if (bytes === undefined) return '';
  const text = bytes.toString('utf8');
  const isJson = text.trimStart().startsWith('{');
  return clean(isJson ? errorsOf(text) : /^[^<]*$/.test(text) ? text : '');
}

function errorsOf(text: string): string {
  try {
    const { errors, details } = JSON.parse(text) as { errors?: unknown; details?: unknown };
    if (!Array.isArray(errors)) return typeof details === 'string' ? details : '';
    const first = errors.slice(0, 3) as Array<{ code?: unknown; message?: unknown }>;
    return first.map(({ code, message }) => `${code} ${message ?? ''}`).join('; ');
  } catch {
    return ''; // not JSON after all
  }
}

function clean(text: string): string {
  return text
    .replace(/[\p{C}\s]+/gu, ' ')
    .trim()
    .slice(0, wordsLengthMax);
}

/** Whether another attempt soon can help. */
export function isPassing(error: unknown): boolean {
  if (!(error instanceof CodedError)) return false;
  const passing: readonly Code[] = [
    'REGISTRY_UNREACHABLE',
    'REGISTRY_PROXY',
    'REGISTRY_TIMEOUT',
    'REGISTRY_BUSY',
    'REGISTRY_FAILED',
  ];
  return passing.includes(error.code);
}
