// SPDX-License-Identifier: Apache-2.0
// Makes the byte stream under one MQTT connection: TCP or a proxy's tunnel, mutual TLS on it, and a WebSocket
// inside where the broker wants one. It speaks no MQTT and tries once.

import type { Duplex } from 'node:stream';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { type ProxyServer, parseProxy, proxyFor, proxyFromEnv } from './proxy.js';
import { openTunnel } from './tunnel.js';

export interface DialOptions {
  readonly host: string;
  readonly port: number;
  readonly transport?: 'mqtts' | 'wss';
  /** Of the WebSocket; default /mqtt. */
  readonly path?: string;
  /** The name that the broker's certificate must carry; default: `host`. */
  readonly servername?: string;
  /** PEM texts. */
  readonly tls: { ca: string; cert: string; key: string };
  /** As adapters/proxy.ts reads it; '' = none; default: HTTPS_PROXY and NO_PROXY of the environment. */
  readonly proxy?: string;
}

export interface Wire {
  /** MQTT packets in both directions. */
  readonly stream: Duplex;
  /** Below it; its end is the end. */
  readonly socket: TLSSocket;
}

/** `onSecure` is told when TLS stands. @throws CONFIG_BAD, ProxyFault, and what Node says of TCP and TLS */
export async function dial(
  options: DialOptions,
  timeoutMs: number,
  signal: AbortSignal,
  onSecure: () => void,
): Promise<Wire> {
  const { host, port, servername, tls, transport, path } = options;
  const ended = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const proxy = proxyOf(options);
  const through =
    proxy === undefined
      ? {}
      : { socket: await openTunnel(proxy, { host, port }, { timeoutMs, signal }) };
  const socket = connectTls({
    host,
    port,
    ...through,
    ...tls,
    minVersion: 'TLSv1.2',
    ...(servername === undefined ? {} : { servername }),
  });
  const abort = (): void => void socket.destroy(late(host, port));
  ended.addEventListener('abort', abort);
  try {
    await secured(socket);
    onSecure();
    if (transport !== 'wss') return { stream: socket, socket };
    // Loaded here: a device that needs no WebSocket has no memory to spare for it.
    const { openWebSocket } = await import('./mqtt-ws.js');
    const at = { host: servername ?? host, port, path: path ?? '/mqtt' };
    return { stream: await openWebSocket(socket, at, timeoutMs), socket };
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    ended.removeEventListener('abort', abort);
  }
}

function proxyOf({ host, port, proxy }: DialOptions): ProxyServer | undefined {
  if (proxy !== undefined) return proxy === '' ? undefined : parseProxy(proxy, 'proxy');
  const name = host.includes(':') ? `[${host}]` : host;
  return proxyFor(proxyFromEnv(process.env), new URL(`https://${name}:${port}`));
}

function secured(socket: TLSSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('secureConnect', () => {
      socket.off('error', reject);
      resolve();
    });
    socket.once('error', reject);
    socket.once('close', () => reject(cutOff()));
    socket.on('error', () => undefined); // told by the close that follows
  });
}

/** Closed without a word: with TLS 1.3 some servers say so that they refuse our certificate. */
function cutOff(): Error {
  return Object.assign(new Error('closed by the broker'), { code: 'ECONNRESET' });
}

function late(host: string, port: number): Error {
  return Object.assign(new Error(`no answer from ${host}:${port} in time`), { code: 'ETIMEDOUT' });
}
