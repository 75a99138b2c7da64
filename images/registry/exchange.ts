// SPDX-License-Identifier: Apache-2.0
// One exchange with a registry, seen through: authorised (again, where a token ended meanwhile), redirects
// followed where that is allowed, the status checked. It makes one attempt; retry.ts repeats it.

import type { HttpResponse } from '../../adapters/http.js';
import { CodedError } from '../../protocol/error.js';
import type { Connections, Sent } from './connections.js';
import { protocolError, type Subject, statusError } from './failure.js';
import { retryAfterMs } from './retry.js';
import type { Scope, Tokens } from './tokens.js';

export interface Wanted {
  readonly method: Sent['method'];
  /** `/v2/…`, or a whole URL on the registry's own host: an upload's location. */
  readonly path: string | URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** Called for each attempt, so that a body can be sent again after a 401. */
  readonly body?: () => Uint8Array | AsyncIterable<Uint8Array>;
  readonly scope: Scope;
  readonly subject: Subject;
  /** Every other status is an error. */
  readonly statuses: readonly number[];
  readonly signal?: AbortSignal | undefined;
}

export type Exchange = (wanted: Wanted) => Promise<HttpResponse>;

const redirectCountMax = 5;
const redirects: readonly number[] = [301, 302, 303, 307, 308];

export function openExchange(
  connections: Connections,
  tokens: Tokens,
  now: () => number,
): Exchange {
  const authorised = async (
    wanted: Wanted,
    url: URL,
    authorization: string | undefined,
    isAgain: boolean,
  ): Promise<HttpResponse> => {
    const response = await connections.send({
      method: wanted.method,
      url,
      headers: { ...wanted.headers, ...(authorization === undefined ? {} : { authorization }) },
      body: wanted.body?.(),
      subject: wanted.subject,
      signal: wanted.signal,
    });
    if (response.status !== 401 || isAgain) return response;
    await response.discard();
    const renewed = await tokens.renew(wanted.scope, challengeOf(response), wanted.signal);
    return authorised(wanted, url, renewed, true);
  };

  return async (wanted) => {
    const origin = await connections.origin(wanted.scope.host, wanted.signal);
    const url = new URL(wanted.path, origin);
    let response = await authorised(wanted, url, tokens.headerFor(wanted.scope), false);
    let from = url;
    for (let count = 0; isRedirect(wanted, response); count += 1) {
      if (count >= redirectCountMax) {
        await response.discard();
        throw protocolError(`redirects more than ${redirectCountMax} times`, wanted.subject);
      }
      const to = await locationOf(response, from, wanted.subject);
      response = await follow(connections, tokens, wanted, to, origin);
      from = to;
    }
    if (wanted.statuses.includes(response.status)) return response;
    throw withWait(await statusError(response, wanted.subject), response, now());
  };
}

function challengeOf(response: HttpResponse): string | undefined {
  return response.headers['www-authenticate'];
}

/** Uploads are never redirected: their next address comes in Location with a status of success. */
function isRedirect(wanted: Wanted, response: HttpResponse): boolean {
  const isRead = wanted.method === 'GET' || wanted.method === 'HEAD';
  return isRead && redirects.includes(response.status);
}

/** @throws REGISTRY_PROTOCOL for no URL, for one that is not HTTP and for a step down to plain HTTP */
export async function locationOf(
  response: HttpResponse,
  from: URL,
  subject: Subject,
): Promise<URL> {
  await response.discard();
  const { location } = response.headers;
  let to: URL;
  try {
    to = new URL(location ?? '', from);
  } catch {
    throw protocolError('redirects to something that is no URL', subject);
  }
  if (location === undefined) throw protocolError('redirects without saying where', subject);
  if (from.protocol === 'https:' && to.protocol !== 'https:') {
    throw protocolError(`redirects from HTTPS to ${to.protocol}//${to.host}`, subject);
  }
  to.username = '';
  to.password = '';
  return to;
}

/** Credentials go along only to the very origin that they are for. */
async function follow(
  connections: Connections,
  tokens: Tokens,
  wanted: Wanted,
  to: URL,
  origin: URL,
): Promise<HttpResponse> {
  const authorization = to.origin === origin.origin ? tokens.headerFor(wanted.scope) : undefined;
  return connections.send({
    method: wanted.method,
    url: to,
    headers: { ...wanted.headers, ...(authorization === undefined ? {} : { authorization }) },
    subject: wanted.subject,
    signal: wanted.signal,
  });
}

function withWait(error: CodedError, response: HttpResponse, now: number): CodedError {
  const waitMs = retryAfterMs(response.headers['retry-after'], now);
  if (waitMs === undefined) return error;
  return new CodedError(error.code, error.message, { ...error.facts, retryAfterMs: waitMs });
}
