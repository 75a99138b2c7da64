// SPDX-License-Identifier: Apache-2.0
// Credentials for a registry: answers its challenge with Basic, or fetches a bearer token and keeps it for its
// scope until shortly before it ends. Credentials go to the registry and to the token server that it
// names over HTTPS, to nobody else.

import type { Clock } from '../../adapters/clock.js';
import { readBody } from '../../adapters/http.js';
import { CodedError } from '../../protocol/error.js';
import { parseJson } from '../../protocol/json.js';
import { type Challenge, parseChallenge } from './challenge.js';
import type { Connections } from './connections.js';
import { protocolError, type Subject, statusError } from './failure.js';

export interface Credentials {
  /** `<token>` where the password is a refresh token of the token server, as Docker's credential programs say. */
  readonly username: string;
  readonly password: string;
}

/** For the registry's host as it stands in references; undefined = nobody in particular. */
export type CredentialSource = (
  host: string,
  repository: string,
) => Credentials | undefined | Promise<Credentials | undefined>;

export const refreshUser = '<token>';

export interface Scope {
  readonly host: string;
  readonly repository: string;
  readonly actions: 'pull' | 'pull,push' | 'delete';
}

export interface Tokens {
  /** The Authorization header to send at once, where one is known. */
  headerFor(scope: Scope): string | undefined;
  /** A new header after a 401 with this challenge. @throws REGISTRY_AUTH, REGISTRY_* */
  renew(scope: Scope, challenge: string | undefined, signal?: AbortSignal): Promise<string>;
}

const tokenBytesMax = 64 * 1024;
const tokenCountMax = 64;
/** Distribution token spec: a token without expires_in lives 60 s. */
const lifeMsUsual = 60_000;
const marginMs = 5000;

export function openTokens(options: {
  connections: Connections;
  clock: Clock;
  credentials?: CredentialSource;
}): Tokens {
  const { connections, clock } = options;
  const kept = new Map<string, { header: string; untilMs: number }>();

  const keep = (scope: Scope, header: string, lifeMs: number): string => {
    if (kept.size >= tokenCountMax) kept.clear();
    kept.set(keyOf(scope), { header, untilMs: clock.monotonicMs() + lifeMs });
    return header;
  };

  return {
    headerFor: (scope) => {
      const found = kept.get(keyOf(scope));
      return found !== undefined && found.untilMs > clock.monotonicMs() ? found.header : undefined;
    },
    renew: async (scope, header, signal) => {
      const challenge = parseChallenge(header);
      const own = await options.credentials?.(scope.host, scope.repository);
      const basic =
        own === undefined || own.username === refreshUser ? undefined : basicHeader(own);
      if (challenge?.scheme === 'bearer') {
        const token = await fetchToken(connections, { scope, challenge, own }, signal);
        return keep(scope, `Bearer ${token.value}`, token.lifeMs - marginMs);
      }
      if (basic === undefined) throw refused(scope, 'wants credentials, and none are given');
      if (challenge === undefined) throw refused(scope, 'wants a kind of login that is not known');
      if (kept.get(keyOf(scope))?.header === basic) throw refused(scope, 'refused the credentials');
      return keep(scope, basic, Number.POSITIVE_INFINITY);
    },
  };
}

function keyOf(scope: Scope): string {
  return `${scope.host} ${scope.repository} ${scope.actions}`;
}

function basicHeader({ username, password }: Credentials): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

function refused(scope: Scope, what: string): CodedError {
  const { host, repository } = scope;
  const of = repository === '' ? '' : ` for ${repository}`;
  return new CodedError('REGISTRY_AUTH', `the registry ${host} ${what}${of}`, {
    host,
  });
}

async function fetchToken(
  connections: Connections,
  asked: {
    scope: Scope;
    challenge: Challenge & { scheme: 'bearer' };
    own: Credentials | undefined;
  },
  signal: AbortSignal | undefined,
): Promise<{ value: string; lifeMs: number }> {
  const { scope, challenge, own } = asked;
  const url = realmOf(scope, challenge);
  const origin = await connections.origin(scope.host, signal);
  const subject = { host: scope.host, what: 'token', name: scope.repository };
  if (origin.protocol === 'https:' && url.protocol !== 'https:') {
    throw protocolError(`names a token server without TLS: ${url.host}`, subject);
  }
  const accept = { accept: 'application/json' };
  const response = await connections.send(
    own?.username === refreshUser
      ? { method: 'POST', ...refreshForm(url, own.password, accept), subject, signal }
      : {
          method: 'GET',
          url,
          headers: { ...accept, ...(own === undefined ? {} : { authorization: basicHeader(own) }) },
          subject,
          signal,
        },
  );
  if (response.status === 401 || response.status === 403) {
    await response.discard();
    throw refused(scope, `and its token server ${url.host} want other credentials`);
  }
  if (response.status !== 200) throw await statusError(response, subject);
  const bytes = await readBody(response, tokenBytesMax);
  if (bytes === undefined) throw protocolError('sent an endless token', subject);
  return readToken(bytes.toString('utf8'), subject);
}

/** Distribution's OAuth 2 form of the token request: the refresh token stays out of the URL. */
function refreshForm(
  from: URL,
  refreshToken: string,
  headers: Record<string, string>,
): { url: URL; headers: Record<string, string>; body: Uint8Array } {
  const form = new URLSearchParams(from.searchParams);
  form.set('grant_type', 'refresh_token');
  form.set('client_id', 'wherry');
  form.set('refresh_token', refreshToken);
  const url = new URL(from);
  url.search = '';
  const type = { 'content-type': 'application/x-www-form-urlencoded' };
  return { url, headers: { ...headers, ...type }, body: Buffer.from(form.toString()) };
}

function realmOf(scope: Scope, challenge: Challenge & { scheme: 'bearer' }): URL {
  const subject = { host: scope.host, what: 'token', name: scope.repository };
  let url: URL;
  try {
    url = new URL(challenge.realm);
  } catch {
    throw protocolError(
      `names a token server that is no URL: ${challenge.realm.slice(0, 128)}`,
      subject,
    );
  }
  if (challenge.service !== undefined) url.searchParams.set('service', challenge.service);
  const usual =
    scope.repository === '' ? undefined : `repository:${scope.repository}:${scope.actions}`;
  const wanted = challenge.scope ?? usual;
  if (wanted !== undefined) url.searchParams.set('scope', wanted);
  return url;
}

function readToken(text: string, subject: Subject): { value: string; lifeMs: number } {
  const found = (parseJson(text, 'the token', { bytesMax: tokenBytesMax }) ?? {}) as {
    token?: unknown;
    access_token?: unknown;
    expires_in?: unknown;
  };
  const value = found.token ?? found.access_token;
  // A header value: anything else could smuggle a second header in.
  if (typeof value !== 'string' || !/^[\x21-\x7e]+$/.test(value)) {
    throw protocolError('sent no token', subject);
  }
  const seconds = Number(found.expires_in);
  return { value, lifeMs: seconds > 0 ? Math.max(seconds * 1000, marginMs) : lifeMsUsual };
}
