// SPDX-License-Identifier: Apache-2.0
// Answers of the registry: JSON, nothing, or an error in the specification's form. An answer closes the
// connection where the request's body was not read to its end, so that its rest is not taken for a request.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Who } from './access.js';
import { Refusal } from './types.js';

export interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: URLSearchParams;
  readonly who: Who;
}

export function isHead(call: Pick<Call, 'request'>): boolean {
  return call.request.method === 'HEAD';
}

export function sendEmpty(
  call: Call,
  status: number,
  headers: Readonly<Record<string, string>> = {},
): void {
  call.response.writeHead(status, { 'content-length': '0', ...headers });
  call.response.end();
}

export function sendJson(
  call: Pick<Call, 'request' | 'response'>,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const bytes = Buffer.from(JSON.stringify(body));
  sendBytes(call, status, bytes, { 'content-type': 'application/json', ...headers });
}

export function sendBytes(
  call: Pick<Call, 'request' | 'response'>,
  status: number,
  bytes: Buffer,
  headers: Readonly<Record<string, string>>,
): void {
  call.response.writeHead(status, { ...headers, 'content-length': String(bytes.length) });
  call.response.end(isHead(call) ? undefined : bytes);
}

export function sendRefusal(call: Pick<Call, 'request' | 'response'>, refusal: Refusal): void {
  const { request, response } = call;
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const errors = [{ code: refusal.code, message: refusal.message, detail: {} }];
  const rest = request.readableEnded ? {} : hasBody(request) ? { connection: 'close' } : {};
  sendJson(call, refusal.status, { errors }, { ...refusal.headers, ...rest });
}

function hasBody(request: IncomingMessage): boolean {
  const length = request.headers['content-length'];
  return request.headers['transfer-encoding'] !== undefined || (length ?? '0') !== '0';
}

/** @throws Refusal SIZE_INVALID */
export async function readBody(request: IncomingMessage, bytesMax: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  // Not destroyed on the way out: the refusal still has to be sent.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > bytesMax) {
      throw new Refusal(413, 'SIZE_INVALID', `the body is longer than ${bytesMax} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
