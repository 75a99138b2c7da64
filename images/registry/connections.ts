// SPDX-License-Identifier: Apache-2.0
// One HTTP client for each host that a registry leads to, each with its own TLS identity: a certificate meant
// for one host is never shown to another. HTTPS always; plain HTTP only on loopback or where the caller
// allows it, and only after the host was seen not to speak TLS.

import {
  failureOf,
  type Http,
  type HttpResponse,
  openHttp,
  type TlsIdentity,
} from '../../adapters/http.js';
import type { ProxyServer } from '../../adapters/proxy.js';
import { CodedError } from '../../protocol/error.js';
import { identityOf } from './certs.js';
import { networkError, type Subject } from './failure.js';

export interface ConnectionOptions {
  readonly certDirs?: readonly string[];
  /** In place of certDirs: what to show to a host, and whom to believe there. */
  readonly identity?: (host: string) => Promise<TlsIdentity | undefined>;
  /** Plain HTTP beyond loopback too. */
  readonly insecure?: boolean;
  /** The same for single hosts. */
  readonly isInsecure?: ((host: string) => boolean) | undefined;
  /** Undefined = straight. */
  readonly proxyFor?: ((url: URL) => ProxyServer | undefined) | undefined;
  readonly connectTimeoutMs?: number;
  readonly idleTimeoutMs?: number;
  readonly socketCountMax?: number;
}

export interface Sent {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | AsyncIterable<Uint8Array> | undefined;
  readonly subject: Subject;
  readonly signal?: AbortSignal | undefined;
}

export interface Connections {
  /** `https://host` or `http://host`: how this registry is spoken to. @throws REGISTRY_* */
  origin(host: string, signal?: AbortSignal): Promise<URL>;
  /** One request, one answer, whatever its status. @throws REGISTRY_*, never a raw network error */
  send(wanted: Sent): Promise<HttpResponse>;
  bytesReceived(): number;
  close(): void;
}

/** Registries, token servers and the hosts that blobs are redirected to. */
const hostCountMax = 32;

export function isLoopback(host: string): boolean {
  const name = host.replace(/:\d+$/, '');
  return name === 'localhost' || name === '[::1]' || /^127(\.\d{1,3}){3}$/.test(name);
}

/** Docker Hub answers under another name than its images carry. */
function apiHost(host: string): string {
  return host === 'docker.io' ? 'registry-1.docker.io' : host;
}

export function openConnections(options: ConnectionOptions): Connections {
  const clients = new Map<string, Promise<{ http: Http; hasIdentity: boolean }>>();
  const origins = new Map<string, URL>();
  let closedBytes = 0;
  const opened: Http[] = [];

  const open = async (host: string): Promise<{ http: Http; hasIdentity: boolean }> => {
    const { identity, certDirs = [] } = options;
    const tls = await (identity === undefined ? identityOf(host, certDirs) : identity(host));
    const http = openHttp({ ...options, ...(tls === undefined ? {} : { tls }) });
    opened.push(http);
    return { http, hasIdentity: tls !== undefined };
  };

  const clientOf = async (host: string): Promise<{ http: Http; hasIdentity: boolean }> => {
    const known = clients.get(host);
    if (known !== undefined) return known;
    if (clients.size >= hostCountMax) {
      throw new CodedError(
        'REGISTRY_PROTOCOL',
        `the registry leads to more than ${hostCountMax} hosts`,
      );
    }
    const made = open(host);
    clients.set(host, made);
    made.catch(() => clients.delete(host));
    return made;
  };

  const mayBePlain = (host: string): boolean =>
    isLoopback(host) || options.insecure === true || options.isInsecure?.(host) === true;

  const origin = async (host: string, signal?: AbortSignal): Promise<URL> => {
    const known = origins.get(host);
    if (known !== undefined) return known;
    const api = apiHost(host);
    const { http, hasIdentity } = await clientOf(host);
    const isPlain = mayBePlain(host) && !hasIdentity && (await speaksNoTls(http, api, signal));
    const found = new URL(`${isPlain ? 'http' : 'https'}://${api}`);
    origins.set(host, found);
    return found;
  };

  return {
    origin,
    send: async ({ subject, body, signal, ...wanted }) => {
      const { url } = wanted;
      if (url.protocol !== 'https:' && !(url.protocol === 'http:' && mayBePlain(url.host))) {
        throw new CodedError('REGISTRY_PLAIN', `${url.host} is asked for with plain HTTP`, {
          host: url.host,
        });
      }
      const { http } = await clientOf(url.host === apiHost(subject.host) ? subject.host : url.host);
      try {
        return await http.request({
          ...wanted,
          ...(body === undefined ? {} : { body }),
          ...(signal === undefined ? {} : { signal }),
        });
      } catch (error) {
        throw networkError(error, { ...subject, host: url.host });
      }
    },
    bytesReceived: () => closedBytes + opened.reduce((sum, http) => sum + http.bytesReceived(), 0),
    close: () => {
      closedBytes = opened.reduce((sum, http) => sum + http.bytesReceived(), closedBytes);
      for (const http of opened.splice(0)) http.close();
      clients.clear();
    },
  };
}

/** True only where the host answers, but not with TLS; whatever else is wrong shows in the request itself. */
async function speaksNoTls(http: Http, host: string, signal?: AbortSignal): Promise<boolean> {
  try {
    const answer = await http.request({
      method: 'GET',
      url: new URL(`https://${host}/v2/`),
      ...(signal === undefined ? {} : { signal }),
    });
    await answer.discard();
    return false;
  } catch (error) {
    signal?.throwIfAborted();
    const failure = failureOf(error);
    if (failure === 'not-tls' || failure === 'cut') return true;
    if (failure === 'tls') return false;
    throw networkError(error, { host, what: 'probe', name: '/v2/' });
  }
}
