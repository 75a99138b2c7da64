// SPDX-License-Identifier: Apache-2.0
// One request and its answer: who asks, a bounded JSON body, JSON back, errors as {code, message, facts}.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { ApiError } from '../../protocol/api.js';
import { type Code, entryOf } from '../../protocol/codes.js';
import { CodedError, codeOf, messageOf } from '../../protocol/error.js';
import { parseJson } from '../../protocol/json.js';
import { type Identity, identityOf } from '../../provisioning/authority/identity.js';
import { bounds } from '../config.js';

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** By certificate alone; undefined where there is none of ours. */
export function whoAsks(request: IncomingMessage): Identity | undefined {
  const socket = request.socket as TLSSocket;
  return socket.authorized ? identityOf(socket.getPeerCertificate()) : undefined;
}

/** An empty body is an empty object. @throws API_LARGE, JSON_BAD */
export async function readBody(request: IncomingMessage): Promise<unknown> {
  const late = setTimeout(() => request.destroy(), bounds.bodyMs);
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > bounds.bodyBytesMax) {
        throw new CodedError('API_LARGE', `the body is longer than ${bounds.bodyBytesMax} bytes`);
      }
      chunks.push(chunk);
    }
  } finally {
    clearTimeout(late);
  }
  const bytes = Buffer.concat(chunks);
  if (bytes.length === 0) return {};
  return parseJson(bytes.toString('utf8'), 'body', { bytesMax: bounds.bodyBytesMax });
}

export function send(response: ServerResponse, answer: Answer): void {
  if (response.destroyed || response.headersSent) return;
  const text = `${JSON.stringify(answer.body)}\n`;
  response.writeHead(answer.status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    // What is left of a refused body must not be taken for the next request.
    ...(answer.status >= 400 ? { connection: 'close' } : {}),
  });
  response.end(text);
}

export function errorAnswer(error: unknown): Answer {
  const code = codeOf(error);
  const body: ApiError = {
    code,
    message: code === 'BUG' ? 'an error that no code foresees; the log has it' : messageOf(error),
    facts: error instanceof CodedError ? error.facts : {},
  };
  return { status: statusOf(code), body };
}

const statuses: Partial<Record<Code, number>> = {
  API_IDENTITY: 403,
  API_LARGE: 413,
  API_REPEATED: 422,
  NO_SPACE: 507,
  STORE_CORRUPT: 500,
  CLOSED: 503,
  BUG: 500,
};

function statusOf(code: Code): number {
  const found = statuses[code];
  if (found !== undefined) return found;
  if (code.endsWith('_UNKNOWN')) return 404;
  if (/_(EXISTS|STATE|COUNTER|REVOKED)$/.test(code)) return 409;
  return entryOf(code).blame === 'bug' ? 500 : 400;
}
