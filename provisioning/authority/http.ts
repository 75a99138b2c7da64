// SPDX-License-Identifier: Apache-2.0
// Enrolment over HTTPS, for the fleet's API server to mount: GET /v1/authority gives the certificate that a
// claim code pins, POST /v1/enrol takes the request. Both need no client certificate. Errors are
// {code, message}, and say no more about a claim than its state.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { errorFacts, type Log } from '../../adapters/log.js';
import { type Code, entryOf } from '../../protocol/codes.js';
import { CodedError, codeOf, messageOf } from '../../protocol/error.js';
import { parseJson } from '../../protocol/json.js';
import { type EnrolDeps, enrol } from './enrol.js';

const bodyBytesMax = 32 * 1024;
const bodyMs = 15_000;

/**
 * Answers the two requests of enrolment; false = the request is another's. Never throws. What is refused is
 * told to `refusals`: anybody can cause it.
 */
export async function answerEnrol(
  request: IncomingMessage,
  response: ServerResponse,
  deps: EnrolDeps,
  log: Log,
  refusals: Log,
): Promise<boolean> {
  const path = (request.url ?? '').split('?')[0];
  if (path === '/v1/authority' && (request.method === 'GET' || request.method === 'HEAD')) {
    response.writeHead(200, { 'content-type': 'application/x-pem-file' });
    response.end(request.method === 'HEAD' ? undefined : deps.authority.certificatePem);
    return true;
  }
  if (path !== '/v1/enrol' || request.method !== 'POST') return false;
  const address = request.socket.remoteAddress ?? '';
  try {
    const answer = await enrol(() => readAsked(request), address, deps);
    log.info({ device: answer.device, address }, 'enrol: a device is let in');
    send(response, 200, answer);
  } catch (error) {
    refusals.warn({ address, ...errorFacts(error) }, 'enrol: refused');
    const code = codeOf(error);
    send(response, statusOf(code), {
      code,
      message: code === 'BUG' ? 'an error that no code foresees' : messageOf(error),
      remedy: entryOf(code).remedy,
    });
  }
  return true;
}

async function readAsked(request: IncomingMessage): Promise<unknown> {
  return parseJson(await readBody(request), 'request', { bytesMax: bodyBytesMax });
}

function statusOf(code: Code): number {
  if (code === 'CLAIM_LIMIT') return 429;
  if (code.startsWith('CLAIM_')) return 403;
  if (code === 'NO_SPACE') return 507;
  return code === 'BUG' || code === 'STORE_CORRUPT' ? 500 : 400;
}

function send(response: ServerResponse, status: number, body: object): void {
  if (response.destroyed) return;
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    ...(status === 200 ? {} : { connection: 'close' }),
  });
  response.end(text);
}

async function readBody(request: IncomingMessage): Promise<string> {
  const late = setTimeout(() => request.destroy(new Error('the body took too long')), bodyMs);
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    // Not destroyed on the way out: the refusal still has to be sent.
    for await (const chunk of request.iterator({
      destroyOnReturn: false,
    }) as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > bodyBytesMax) {
        throw new CodedError('JSON_BAD', `request: is longer than ${bodyBytesMax} bytes`);
      }
      chunks.push(chunk);
    }
  } finally {
    clearTimeout(late);
  }
  return Buffer.concat(chunks).toString('utf8');
}
