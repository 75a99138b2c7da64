// SPDX-License-Identifier: Apache-2.0
// Speaks to the fleet's API as the operator whose folder the root holds. An error of the server comes back
// as the same CodedError here.

import { randomBytes } from 'node:crypto';
import { failureOf, type HttpResponse, openHttp, readBody } from '../../adapters/http.js';
import { isCode } from '../../protocol/codes.js';
import { CodedError, type Facts, messageOf } from '../../protocol/error.js';
import { parseJson } from '../../protocol/json.js';
import { fleetPlaces } from '../config.js';
import { type Operator, readOperator } from '../operator.js';

export interface Client {
  readonly operator: Operator;
  get<T>(path: string): Promise<T>;
  /** Tried again once after a cut, under one Idempotency-Key. */
  post<T>(path: string, body?: object): Promise<T>;
  close(): void;
}

/** A page of devices with what they report may be long. */
const answerBytesMax = 16 * 1024 * 1024;
const answerValuesMax = 1_000_000;
const answerMs = 30_000;
const connectMs = 10_000;

/** @throws OPERATOR_ABSENT, CONFIG_BAD */
export async function openClient(root: string): Promise<Client> {
  const operator = await readOperator(fleetPlaces(root).operator);
  const { host, port } = operator.endpoint;
  const http = openHttp({
    tls: operator.tls,
    connectTimeoutMs: connectMs,
    idleTimeoutMs: answerMs,
  });
  const base = `https://${host.includes(':') ? `[${host}]` : host}:${port}`;

  const ask = async (
    method: 'GET' | 'POST',
    path: string,
    body: object | undefined,
    key: string | undefined,
  ): Promise<unknown> => {
    try {
      const response = await http.request({
        method,
        url: new URL(path, base),
        headers: {
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(key === undefined ? {} : { 'idempotency-key': key }),
        },
        ...(body === undefined ? {} : { body: Buffer.from(JSON.stringify(body)) }),
      });
      return await read(response);
    } catch (error) {
      if (error instanceof CodedError) throw error;
      const what = `the fleet server at ${base} did not answer: ${messageOf(error)}`;
      const facts = { host: base, failure: failureOf(error) ?? 'other' };
      throw new CodedError('API_AWAY', what, facts, { cause: error });
    }
  };
  const post = async (path: string, body: object = {}): Promise<unknown> => {
    const key = randomBytes(12).toString('hex');
    try {
      return await ask('POST', path, body, key);
    } catch (error) {
      if (!(error instanceof CodedError) || error.facts['failure'] !== 'cut') throw error;
      return ask('POST', path, body, key);
    }
  };
  return {
    operator,
    get: async <T>(path: string) => (await ask('GET', path, undefined, undefined)) as T,
    post: async <T>(path: string, body?: object) => (await post(path, body)) as T,
    close: () => http.close(),
  };
}

async function read(response: HttpResponse): Promise<unknown> {
  const bytes = await readBody(response, answerBytesMax);
  if (bytes === undefined) throw new CodedError('API_LARGE', 'the answer is too long');
  const text = bytes.toString('utf8');
  const value = parseJson(text, 'answer', {
    bytesMax: answerBytesMax,
    valuesMax: answerValuesMax,
  });
  if (response.status < 400) return value;
  const { code, message, facts } = value as { code?: unknown; message?: unknown; facts?: Facts };
  const known = typeof code === 'string' && isCode(code) ? code : 'BUG';
  throw new CodedError(known, String(message ?? `status ${response.status}`), facts ?? {});
}

/** Runs `work` with a client and closes it. */
export async function withClient<T>(
  root: string,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const client = await openClient(root);
  try {
    return await work(client);
  } finally {
    client.close();
  }
}
