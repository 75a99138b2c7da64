// SPDX-License-Identifier: Apache-2.0
// A lean HTTP client on node:http and node:https: kept connections, TLS identity, timeouts, bodies streamed
// both ways, bytes counted. It follows no redirects, decodes nothing and retries nothing: callers know what
// their requests mean. Failures are Node's own errors, HttpTimeout or ProxyFault; failureOf says of which kind.

import {
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as plainRequest,
} from 'node:http';
import { request as tlsRequest } from 'node:https';
import { openAgents } from './agents.js';
import type { ProxyServer } from './proxy.js';
import { ProxyFault } from './tunnel.js';

export interface TlsIdentity {
  /** PEM; where given, only these authorities are believed. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** The name that the certificate must carry, where it is not the URL's host. */
  readonly servername?: string;
}

export interface HttpOptions {
  readonly tls?: TlsIdentity;
  /** Name, TCP and TLS together. */
  readonly connectTimeoutMs?: number;
  /** From the whole request to the first byte of the answer, and between parts of a body. */
  readonly idleTimeoutMs?: number;
  readonly socketCountMax?: number;
  /** Undefined = straight. */
  readonly proxyFor?: ((url: URL) => ProxyServer | undefined) | undefined;
}

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** A stream needs content-length in the headers. */
  readonly body?: Uint8Array | AsyncIterable<Uint8Array>;
  readonly signal?: AbortSignal;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Must be read to its end or given up with discard(); the clock stands still while the reader is busy. */
  readonly body: AsyncIterable<Buffer>;
  /** Lets the connection be used again where little is left, else ends it. */
  discard(): Promise<void>;
}

export interface Http {
  /** Resolves with the head of the answer, whatever its status is. */
  request(wanted: HttpRequest): Promise<HttpResponse>;
  /** Heads and bodies received since the start, TLS excluded. */
  bytesReceived(): number;
  close(): void;
}

/** What an HTTP head may be long; Node's default. */
const headBytesMax = 16 * 1024;
/** A body that brings less than this in an idle timeout counts as idle: one byte a second is no transfer. */
const progressBytesMin = 1024;
const discardBytesMax = 64 * 1024;
const keepAliveMs = 4000;

export class HttpTimeout extends Error {
  override readonly name = 'HttpTimeout';
}

export function openHttp(options: HttpOptions = {}): Http {
  const connectTimeoutMs = options.connectTimeoutMs ?? 15_000;
  const idleTimeoutMs = options.idleTimeoutMs ?? 30_000;
  const agents = openAgents({
    ...(options.tls === undefined ? {} : { tls: options.tls }),
    connectTimeoutMs,
    keepAliveMs,
    socketCountMax: options.socketCountMax ?? 4,
    proxyFor: options.proxyFor,
  });
  let received = 0;

  const request = async (wanted: HttpRequest): Promise<HttpResponse> => {
    wanted.signal?.throwIfAborted();
    const { headers, ...way } = agents.argumentsFor(wanted.url);
    const send = wanted.url.protocol === 'https:' ? tlsRequest : plainRequest;
    const sent = send(wanted.url, {
      method: wanted.method,
      headers: { 'user-agent': 'wherry', ...headers, ...lengthOf(wanted.body), ...wanted.headers },
      ...way,
      maxHeaderSize: headBytesMax,
      ...(wanted.signal === undefined ? {} : { signal: wanted.signal }),
    });
    limitConnect(sent, connectTimeoutMs);
    const message = await answerOf(sent, wanted, idleTimeoutMs);
    received += headBytes(message);
    const body = bodyOf(message, idleTimeoutMs, wanted.signal, (bytes) => {
      received += bytes;
    });
    return {
      status: message.statusCode ?? 0,
      headers: message.headers,
      body,
      discard: async () => discard(message, body),
    };
  };

  return {
    request,
    bytesReceived: () => received,
    close: agents.close,
  };
}

function lengthOf(body: HttpRequest['body']): Record<string, string> {
  return body instanceof Uint8Array ? { 'content-length': String(body.length) } : {};
}

function limitConnect(sent: ClientRequest, timeoutMs: number): void {
  sent.once('socket', (socket) => {
    if (!socket.connecting) return;
    const timer = startTimer(timeoutMs, () => {
      sent.destroy(new HttpTimeout(`no connection within ${timeoutMs} ms`));
    });
    socket.once('encrypted' in socket ? 'secureConnect' : 'connect', timer.stop);
    socket.once('close', timer.stop);
  });
}

async function answerOf(
  sent: ClientRequest,
  wanted: HttpRequest,
  idleTimeoutMs: number,
): Promise<IncomingMessage> {
  let isAnswered = false;
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    sent.once('response', (message) => {
      isAnswered = true;
      resolve(message);
    });
    sent.on('error', (error) => reject(wanted.signal?.aborted ? wanted.signal.reason : error));
    sent.once('close', () => reject(new Error('the connection closed without an answer')));
  });
  answer.catch(() => undefined); // awaited below; it may fail while the body is still being written
  const timer = startTimer(idleTimeoutMs, () => {
    sent.destroy(new HttpTimeout(`nothing happened for ${idleTimeoutMs} ms`));
  });
  try {
    const written = writeBody(sent, wanted.body, timer.refresh, () => isAnswered);
    await Promise.race([written, answer]);
    timer.refresh();
    const message = await answer;
    // An answer that came early is a refusal: what is not yet sent is not sent, and the connection ends with it.
    if (!sent.writableEnded) message.once('close', () => sent.destroy());
    return message;
  } catch (error) {
    sent.destroy();
    throw error;
  } finally {
    timer.stop();
  }
}

/**
 * A time limit that looks once more at the sockets before it strikes: a process that was stopped or starved for
 * longer than the limit finds its timers due before it has read what has come meanwhile.
 */
function startTimer(ms: number, strike: () => void): { refresh: () => void; stop: () => void } {
  let last: NodeJS.Immediate | undefined;
  const timer = setTimeout(() => {
    last = setImmediate(strike);
  }, ms);
  return {
    refresh: () => {
      clearImmediate(last);
      timer.refresh();
    },
    stop: () => {
      clearImmediate(last);
      clearTimeout(timer);
    },
  };
}

async function writeBody(
  sent: ClientRequest,
  body: HttpRequest['body'],
  moved: () => void,
  isAnswered: () => boolean,
): Promise<void> {
  if (body === undefined || body instanceof Uint8Array) {
    sent.end(body);
    return;
  }
  for await (const chunk of body) {
    if (sent.destroyed || isAnswered()) return;
    moved();
    if (!sent.write(chunk)) await drained(sent);
  }
  sent.end();
}

async function drained(sent: ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    const go = (): void => {
      sent.off('drain', go);
      sent.off('close', go);
      resolve();
    };
    sent.once('drain', go);
    sent.once('close', go);
  });
}

/** As on the wire: status line, `name: value` lines, the empty line. */
function headBytes(message: IncomingMessage): number {
  const line =
    `HTTP/${message.httpVersion} ${message.statusCode} ${message.statusMessage}`.length + 2;
  const fields = message.rawHeaders.reduce((sum, text) => sum + Buffer.byteLength(text) + 2, 0);
  return line + fields + 2;
}

async function* bodyOf(
  message: IncomingMessage,
  idleTimeoutMs: number,
  signal: AbortSignal | undefined,
  count: (bytes: number) => void,
): AsyncGenerator<Buffer> {
  const chunks = message[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let leftMs = idleTimeoutMs;
  let progress = 0;
  try {
    for (;;) {
      const from = performance.now();
      const next = await within(chunks.next(), leftMs, idleTimeoutMs, message);
      if (next.done === true) return;
      count(next.value.length);
      progress += next.value.length;
      leftMs = Math.max(1, leftMs - (performance.now() - from));
      if (progress >= progressBytesMin) [progress, leftMs] = [0, idleTimeoutMs];
      yield next.value;
    }
  } catch (error) {
    throw signal?.aborted === true ? signal.reason : error;
  } finally {
    if (!message.complete) message.destroy();
  }
}

async function within<T>(
  wait: Promise<T>,
  leftMs: number,
  idleTimeoutMs: number,
  message: IncomingMessage,
): Promise<T> {
  const timer = startTimer(leftMs, () => {
    const bound = `${progressBytesMin} bytes in ${idleTimeoutMs} ms`;
    message.destroy(new HttpTimeout(`the body brings less than ${bound}`));
  });
  try {
    return await wait;
  } finally {
    timer.stop();
  }
}

async function discard(message: IncomingMessage, body: AsyncIterable<Buffer>): Promise<void> {
  let left = discardBytesMax;
  try {
    for await (const chunk of body) {
      left -= chunk.length;
      if (left < 0) break;
    }
  } catch {
    message.destroy(); // nobody wants these bytes: a cut here is no failure
  }
}

/** A small body whole; undefined where it is longer than `bytesMax`. */
export async function readBody(
  response: HttpResponse,
  bytesMax: number,
): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response.body) {
    length += chunk.length;
    if (length > bytesMax) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}

export type HttpFailure =
  | 'timeout'
  | 'unknown-host'
  | 'unreachable'
  | 'proxy'
  | 'cut'
  | 'tls'
  | 'not-tls'
  | 'not-http';

/** What kind of failure an error of request() or of a body is; undefined where it is none of the network. */
export function failureOf(error: unknown): HttpFailure | undefined {
  if (error instanceof HttpTimeout) return 'timeout';
  if (error instanceof ProxyFault) return 'proxy';
  const { code = '', message = '' } = error as NodeJS.ErrnoException;
  if (code === 'EPROTO' || code.startsWith('ERR_SSL')) {
    return /wrong.version.number|packet.length|http.request/i.test(`${code} ${message}`)
      ? 'not-tls'
      : 'tls';
  }
  if (code.startsWith('HPE_')) return 'not-http';
  if (/^(ERR_TLS|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_)/.test(code)) {
    return 'tls';
  }
  return kinds[code] ?? (/closed without an answer|^aborted$/.test(message) ? 'cut' : undefined);
}

const kinds: Readonly<Record<string, HttpFailure>> = {
  ENOTFOUND: 'unknown-host',
  EAI_AGAIN: 'unknown-host',
  EAI_FAIL: 'unknown-host',
  ECONNREFUSED: 'unreachable',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  ENETDOWN: 'unreachable',
  EADDRNOTAVAIL: 'unreachable',
  ETIMEDOUT: 'timeout',
  ECONNRESET: 'cut',
  EPIPE: 'cut',
  ERR_STREAM_PREMATURE_CLOSE: 'cut',
};
