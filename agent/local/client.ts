// SPDX-License-Identifier: Apache-2.0
// The other end of the local socket, for `wherry`. An agent that does not answer is AGENT_AWAY; an error of the
// agent comes back as the CodedError that it was.

import { type IncomingMessage, request } from 'node:http';
import { createInterface } from 'node:readline';
import { errnoOf } from '../../adapters/durable.js';
import type { Places } from '../../adapters/places.js';
import { isCode } from '../../protocol/codes.js';
import { CodedError, type Facts } from '../../protocol/error.js';

const answerBytesMax = 8 * 1024 * 1024;

export interface Client {
  /** @throws AGENT_AWAY, and what the agent says */
  get<T>(path: string): Promise<T>;
  /** The lines of a stream, as they come. */
  lines<T>(method: 'GET' | 'POST', path: string, body?: object): AsyncIterable<T>;
  post<T>(path: string, body: object): Promise<T>;
}

export function clientOf(places: Places): Client {
  return {
    get: async <T>(path: string) => whole<T>(await send(places, 'GET', path)),
    post: async <T>(path: string, body: object) => whole<T>(await send(places, 'POST', path, body)),
    lines: <T>(method: 'GET' | 'POST', path: string, body?: object) =>
      linesOf<T>(places, method, path, body),
  };
}

async function* linesOf<T>(
  places: Places,
  method: string,
  path: string,
  body: object | undefined,
): AsyncGenerator<T> {
  const response = await send(places, method, path, body);
  for await (const line of createInterface({
    input: response,
    crlfDelay: Number.POSITIVE_INFINITY,
  })) {
    if (line === '') continue;
    const value = JSON.parse(line) as { error?: unknown };
    if (value.error !== undefined) throw errorOf(value.error);
    yield value as T;
  }
}

async function send(
  places: Places,
  method: string,
  path: string,
  body?: object,
): Promise<IncomingMessage> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = request(
      {
        socketPath: places.socket,
        method,
        path,
        headers: body === undefined ? {} : { 'content-type': 'application/json' },
      },
      resolve,
    );
    sent.once('error', (error) => reject(away(places, error)));
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
  if ((response.statusCode ?? 500) < 400) return response;
  throw errorOf(await whole(response));
}

function away(places: Places, error: Error): CodedError {
  const why: Record<string, string> = {
    ENOENT: 'it is not there',
    ECONNREFUSED: 'nobody answers',
  };
  const errno = errnoOf(error) ?? '';
  if (errno === 'EACCES') {
    const message = `the agent's socket ${places.socket} is root's and its group's`;
    return new CodedError('NOT_ROOT', message, { path: places.socket, errno }, { cause: error });
  }
  return new CodedError(
    'AGENT_AWAY',
    `the agent's socket ${places.socket}: ${why[errno] ?? error.message}`,
    { path: places.socket, errno },
    { cause: error },
  );
}

async function whole<T>(response: IncomingMessage): Promise<T> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > answerBytesMax) {
      throw new CodedError('LOCAL_REQUEST', `the agent's answer is longer than ${answerBytesMax}`);
    }
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString('utf8')) as T;
}

function errorOf(value: unknown): CodedError {
  const { code, message, facts } = value as { code?: string; message?: string; facts?: Facts };
  const known = code !== undefined && isCode(code) ? code : 'BUG';
  return new CodedError(known, message ?? 'the agent did not say what', facts ?? {});
}
