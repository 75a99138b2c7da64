// SPDX-License-Identifier: Apache-2.0
// Enrolment over HTTPS, for the fleet's API server to mount: GET /v1/authority gives the certificate that a
// claim code pins, POST /v1/enrol takes the request; both need no client certificate. POST /v1/renew takes a
// request with the device's own. Errors are {code, message}, and say no more about a claim than its state.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { errorFacts, type Log } from '../../adapters/log.js';
import { type Code, entryOf } from '../../protocol/codes.js';
import { CodedError, codeOf, messageOf } from '../../protocol/error.js';
import { parseJson } from '../../protocol/json.js';
import { type EnrolDeps, enrol } from './enrol.js';
import { identityOf, keyHashOf } from './identity.js';
import { type Asker, mayRenew, renew } from './renew.js';

const bodyBytesMax = 32 * 1024;
const bodyMs = 15_000;

type Work = (
  request: IncomingMessage,
  response: ServerResponse,
  deps: EnrolDeps,
  log: Log,
) => Promise<void>;

const works: Readonly<Record<string, Work>> = {
  'GET /v1/authority': answerAuthority,
  'HEAD /v1/authority': answerAuthority,
  'POST /v1/enrol': answerEnrolment,
  'GET /v1/renew': answerRenewal,
  'POST /v1/renew': answerRenewal,
};

/**
 * Answers the requests of enrolment and renewal; false = the request is another's. Never throws. What is refused is
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
  const name = `${request.method} ${path}`;
  const work = Object.hasOwn(works, name) ? works[name] : undefined;
  if (work === undefined) return false;
  try {
    await work(request, response, deps, log);
  } catch (error) {
    const address = request.socket.remoteAddress ?? '';
    refusals.warn({ address, ...errorFacts(error) }, `enrol: ${path} is refused`);
    const code = codeOf(error);
    send(response, statusOf(code), {
      code,
      message: code === 'BUG' ? 'an error that no code foresees' : messageOf(error),
      remedy: entryOf(code).remedy,
    });
  }
  return true;
}

async function answerAuthority(
  request: IncomingMessage,
  response: ServerResponse,
  deps: EnrolDeps,
): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/x-pem-file' });
  response.end(request.method === 'HEAD' ? undefined : deps.authority.certificatePem);
}

async function answerEnrolment(
  request: IncomingMessage,
  response: ServerResponse,
  deps: EnrolDeps,
  log: Log,
): Promise<void> {
  const address = request.socket.remoteAddress ?? '';
  const answer = await enrol(() => readJson(request), address, deps);
  log.info({ device: answer.device, address }, 'enrol: a device is let in');
  send(response, 200, answer);
}

/** GET only tells whether the certificate would do: a device asks with its new one before it lets the old one go. */
async function answerRenewal(
  request: IncomingMessage,
  response: ServerResponse,
  deps: EnrolDeps,
  log: Log,
): Promise<void> {
  const asker = askerOf(request.socket as TLSSocket);
  const device = mayRenew(asker, deps); // before a stranger's body is read
  if (request.method === 'GET') {
    send(response, 200, { device });
    return;
  }
  const { certificate } = await renew(await readJson(request), asker, deps);
  log.info({ device }, 'renew: a device has a new certificate');
  send(response, 200, { certificate });
}

function askerOf(socket: TLSSocket): Asker | undefined {
  const certificate = socket.authorized ? socket.getPeerCertificate() : undefined;
  const identity = identityOf(certificate);
  if (certificate === undefined || identity === undefined) return undefined;
  return { identity, keyHash: keyHashOf(certificate) };
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  return parseJson(await readBody(request), 'request', { bytesMax: bodyBytesMax });
}

function statusOf(code: Code): number {
  if (code === 'CLAIM_LIMIT') return 429;
  if (code.startsWith('CLAIM_') || code === 'RENEW_REFUSED') return 403;
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
