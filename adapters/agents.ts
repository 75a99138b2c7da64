// SPDX-License-Identifier: Apache-2.0
// The pools of connections behind the HTTP client: straight, or through a proxy where one is named for the URL. TLS
// is always between us and the target; a proxy sees names and ports only. Plain HTTP goes to an HTTP proxy as
// such (RFC 9112 §3.2.2), to SOCKS through a tunnel.

import { type ClientRequestArgs, Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { connect as connectPlain, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import type { ProxyServer } from './proxy.js';
import { authorizationOf, openTunnel, ProxyFault } from './tunnel.js';

export interface AgentOptions {
  readonly tls?: ConnectionOptions;
  readonly connectTimeoutMs: number;
  readonly keepAliveMs: number;
  readonly socketCountMax: number;
  readonly proxyFor?: ((url: URL) => ProxyServer | undefined) | undefined;
}

export interface Agents {
  /** What a request for the URL needs beside its own options. */
  argumentsFor(url: URL): Pick<ClientRequestArgs, 'agent' | 'path' | 'headers'>;
  close(): void;
}

type Done = (error: Error | null, socket?: Socket) => void;
interface Pool {
  createConnection(options: ClientRequestArgs, done: Done): Socket | undefined;
}

export function openAgents(options: AgentOptions): Agents {
  const { connectTimeoutMs: timeoutMs, proxyFor = () => undefined } = options;
  const shared = {
    keepAlive: true,
    timeout: options.keepAliveMs,
    maxSockets: options.socketCountMax,
    maxFreeSockets: 2,
  };
  const plain = new HttpAgent(shared);
  const secure = new HttpsAgent({ ...shared, ...options.tls, minVersion: 'TLSv1.2' });
  const proxied = new Map<string, HttpAgent>();

  const through = (proxy: ProxyServer, isTls: boolean): HttpAgent => {
    const name = `${isTls} ${proxy.kind} ${proxy.host} ${proxy.port} ${proxy.username ?? ''}`;
    const known = proxied.get(name);
    if (known !== undefined) return known;
    const pool = isTls
      ? new HttpsAgent({ ...shared, ...options.tls, minVersion: 'TLSv1.2' })
      : new HttpAgent(shared);
    (pool as unknown as Pool).createConnection = (wanted, done) => {
      if (!isTls && proxy.kind === 'http') return toProxy(proxy);
      tunnel(proxy, wanted, isTls, timeoutMs).then(
        (socket) => done(null, socket),
        (error: Error) => done(error),
      );
      return undefined;
    };
    proxied.set(name, pool);
    return pool;
  };

  return {
    argumentsFor: (url) => {
      const isTls = url.protocol === 'https:';
      const proxy = proxyFor(url);
      if (proxy === undefined) return { agent: isTls ? secure : plain };
      const agent = through(proxy, isTls);
      if (isTls || proxy.kind === 'socks5') return { agent };
      const login = authorizationOf(proxy);
      const headers = login === undefined ? {} : { 'proxy-authorization': login };
      return { agent, path: url.href, headers };
    },
    close: () => {
      for (const agent of [plain, secure, ...proxied.values()]) agent.destroy();
    },
  };
}

function toProxy(proxy: ProxyServer): Socket {
  const socket = connectPlain({ host: proxy.host, port: proxy.port });
  let isConnected = false;
  socket.once('connect', () => {
    isConnected = true;
  });
  socket.prependOnceListener('error', (error) => {
    if (!isConnected) error.message = `the proxy ${proxy.host}:${proxy.port}: ${error.message}`;
  });
  return socket;
}

async function tunnel(
  proxy: ProxyServer,
  wanted: ClientRequestArgs,
  isTls: boolean,
  timeoutMs: number,
): Promise<Socket> {
  const host = String(wanted.host ?? '').replace(/^\[|\]$/g, '');
  const socket = await openTunnel(proxy, { host, port: Number(wanted.port) }, { timeoutMs });
  if (!isTls) return socket.resume(); // a server says nothing before it is asked
  const options = { ...(wanted as ConnectionOptions), path: undefined, socket };
  return secured(connectTls(options), proxy, timeoutMs);
}

/** The handshake has its own time limit, since the request has no socket to look at before it is over. */
async function secured(
  socket: TLSSocket,
  proxy: ProxyServer,
  timeoutMs: number,
): Promise<TLSSocket> {
  const where = `the proxy ${proxy.host}:${proxy.port}`;
  const timer = setTimeout(() => {
    socket.destroy(new ProxyFault(`no TLS through ${where} within ${timeoutMs} ms`));
  }, timeoutMs);
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve);
      socket.once('error', reject);
      socket.once('close', () => reject(new ProxyFault(`${where} cut the TLS handshake`)));
    });
    return socket;
  } finally {
    clearTimeout(timer);
  }
}
