// SPDX-License-Identifier: Apache-2.0
// A TCP connection through a proxy: HTTP CONNECT (RFC 9110 §9.3.6) or SOCKS5 (RFC 1928, RFC 1929). What comes out
// is a plain socket to the target; TLS is the caller's. One time limit for all of it. Names go to the
// proxy as they are: it may know more than we do.

import { connect, isIP, isIPv4, type Socket } from 'node:net';
import type { ProxyServer } from './proxy.js';

/** The proxy is away, says no, or does not speak as it should. */
export class ProxyFault extends Error {
  override readonly name = 'ProxyFault';
}

export interface TunnelOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** Longest head of an answer to CONNECT. */
const headBytesMax = 16 * 1024;

/** The socket is paused. @throws ProxyFault, the signal's reason */
export async function openTunnel(
  proxy: ProxyServer,
  target: { readonly host: string; readonly port: number },
  options: TunnelOptions,
): Promise<Socket> {
  options.signal?.throwIfAborted();
  const socket = connect({ host: proxy.host, port: proxy.port });
  const where = `the proxy ${proxy.host}:${proxy.port}`;
  const fail = (what: string): void => void socket.destroy(new ProxyFault(`${where} ${what}`));
  const timer = setTimeout(
    () => fail(`did not open a way in ${options.timeoutMs} ms`),
    options.timeoutMs,
  );
  const abort = (): void => fail('was given up');
  options.signal?.addEventListener('abort', abort, { once: true });
  const inflow = inflowOf(socket, where);
  try {
    await inflow.connected;
    if (proxy.kind === 'http') await askHttp(socket, inflow, proxy, target, where);
    else await askSocks(socket, inflow, proxy, target, where);
    inflow.release();
    return socket;
  } catch (error) {
    socket.destroy();
    options.signal?.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', abort);
  }
}

interface Inflow {
  readonly connected: Promise<void>;
  /** The first bytes for which `lengthOf` is not undefined: so many are taken. */
  take(lengthOf: (bytes: Buffer) => number | undefined): Promise<Buffer>;
  /** Gives what came too early back to the socket, and lets go of it. */
  release(): void;
}

function inflowOf(socket: Socket, where: string): Inflow {
  let bytes: Buffer = Buffer.alloc(0);
  let failure: Error | undefined;
  let wake = (): void => undefined;
  const ended = (error?: Error): void => {
    failure ??= error ?? new ProxyFault(`${where} closed the connection`);
    wake();
  };
  const onData = (chunk: Buffer): void => {
    bytes = Buffer.concat([bytes, chunk]);
    if (bytes.length > headBytesMax) ended(new ProxyFault(`${where} answers without end`));
    wake();
  };
  const onError = (error: Error): void => {
    const isOurs = error instanceof ProxyFault;
    ended(isOurs ? error : new ProxyFault(`${where}: ${error.message}`, { cause: error }));
  };
  const onClose = (): void => ended();
  socket.on('data', onData).on('error', onError).on('close', onClose).on('end', onClose);
  const until = async (isDone: () => boolean): Promise<void> => {
    while (!isDone()) {
      if (failure !== undefined) throw failure;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  let isConnected = false;
  socket.once('connect', () => {
    isConnected = true;
    wake();
  });
  return {
    connected: until(() => isConnected),
    take: async (lengthOf) => {
      let length: number | undefined;
      await until(() => {
        length = lengthOf(bytes);
        return length !== undefined && bytes.length >= length;
      });
      const taken = bytes.subarray(0, length);
      bytes = bytes.subarray(taken.length);
      return taken;
    },
    release: () => {
      socket.pause();
      socket.off('data', onData).off('error', onError).off('close', onClose).off('end', onClose);
      if (bytes.length > 0) socket.unshift(bytes);
    },
  };
}

async function askHttp(
  socket: Socket,
  inflow: Inflow,
  proxy: ProxyServer,
  target: { host: string; port: number },
  where: string,
): Promise<void> {
  const name = target.host.includes(':') ? `[${target.host}]` : target.host;
  const authority = `${name}:${target.port}`;
  const login = authorizationOf(proxy);
  const lines = [
    `CONNECT ${authority} HTTP/1.1`,
    `Host: ${authority}`,
    ...(login === undefined ? [] : [`Proxy-Authorization: ${login}`]),
  ];
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  const head = await inflow.take((bytes) => {
    const end = bytes.indexOf('\r\n\r\n');
    return end < 0 ? undefined : end + 4;
  });
  const status = /^HTTP\/1\.[01] (\d{3})(.*)/.exec(head.toString('latin1'));
  if (status?.[1]?.startsWith('2') === true) return;
  const said = status === null ? 'something that is not HTTP' : `${status[1]}${status[2]}`.trim();
  throw new ProxyFault(`${where} answers ${said} for ${authority}`);
}

/** The value of Proxy-Authorization, where the proxy has a login. */
export function authorizationOf({ username, password }: ProxyServer): string | undefined {
  if (username === undefined) return undefined;
  return `Basic ${Buffer.from(`${username}:${password ?? ''}`).toString('base64')}`;
}

const socksVersion = 5;
const method = { none: 0, login: 2 } as const;
/** RFC 1928 §6. */
const socksFailures: readonly string[] = [
  'succeeded',
  'failed',
  'does not allow it',
  'says the network is unreachable',
  'says the host is unreachable',
  'says the connection is refused',
  'says it took too long',
  'does not know CONNECT',
  'does not know that kind of address',
];

async function askSocks(
  socket: Socket,
  inflow: Inflow,
  proxy: ProxyServer,
  target: { host: string; port: number },
  where: string,
): Promise<void> {
  const { username, password = '' } = proxy;
  const offered = username === undefined ? [method.none] : [method.none, method.login];
  socket.write(Buffer.from([socksVersion, offered.length, ...offered]));
  const [version, chosen] = await inflow.take(() => 2);
  if (version !== socksVersion) throw new ProxyFault(`${where} does not speak SOCKS5`);
  if (chosen === method.login && username !== undefined) {
    socket.write(Buffer.from([1, ...counted(username, where), ...counted(password, where)]));
    const [, status] = await inflow.take(() => 2);
    if (status !== 0) throw new ProxyFault(`${where} refused the user name or password`);
  } else if (chosen !== method.none) {
    throw new ProxyFault(`${where} wants another kind of login`);
  }
  const port = Buffer.from([target.port >> 8, target.port & 0xff]);
  socket.write(Buffer.from([socksVersion, 1, 0, ...addressOf(target.host, where), ...port]));
  const answer = await inflow.take(replyLength);
  const code = answer[1] ?? 1;
  if (code !== 0) {
    const said = socksFailures[code] ?? `fails with ${code}`;
    throw new ProxyFault(`${where} ${said} (${target.host}:${target.port})`);
  }
}

function counted(text: string, where: string): Buffer {
  const bytes = Buffer.from(text);
  if (bytes.length > 255) throw new ProxyFault(`${where}: SOCKS5 takes at most 255 bytes a word`);
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}

function addressOf(host: string, where: string): Buffer {
  if (isIPv4(host)) return Buffer.from([1, ...host.split('.').map(Number)]);
  if (isIP(host) === 6) return Buffer.concat([Buffer.from([4]), ipv6Bytes(host)]);
  return Buffer.concat([Buffer.from([3]), counted(host, where)]);
}

/** 16 bytes; the address was checked by isIP. */
function ipv6Bytes(address: string): Buffer {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address.split('%')[0] ?? '');
  const [a, b, c, d] = (dotted?.slice(2) ?? []).map(Number) as [number, number, number, number];
  const plain =
    dotted === null
      ? (address.split('%')[0] ?? '')
      : `${dotted[1]}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  const [left = '', right] = plain.split('::');
  const head = left === '' ? [] : left.split(':');
  const tail = right === undefined || right === '' ? [] : right.split(':');
  const gap = Array.from({ length: 8 - head.length - tail.length }, () => '0');
  const words = [...head, ...gap, ...tail].map((word) => Number.parseInt(word, 16));
  return Buffer.from(words.flatMap((word) => [word >> 8, word & 0xff]));
}

/** VER REP RSV ATYP ADDR PORT. */
function replyLength(bytes: Buffer): number | undefined {
  if (bytes.length < 5) return undefined;
  const kind = bytes[3];
  if (kind === 1) return 10;
  return kind === 4 ? 22 : 7 + (bytes[4] ?? 0);
}
