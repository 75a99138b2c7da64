// SPDX-License-Identifier: Apache-2.0
// The HTTPS requests of enrolment and renewal. The first of an enrolment trusts nobody and asks for the authority's certificate, which
// must be the pinned one; the second trusts that certificate alone, checks the host's name, and only it
// carries the secret. Answers are bounded in size and time.

import { createHash, X509Certificate } from 'node:crypto';
import { type RequestOptions, request } from 'node:https';
import { isCode } from '../../protocol/codes.js';
import {
  type ClaimCode,
  type EnrolRequest,
  type EnrolResponse,
  enrolResponse,
  renewResponse,
} from '../../protocol/enrol.js';
import { CodedError, messageOf } from '../../protocol/error.js';
import { parseJson } from '../../protocol/json.js';

const answerBytesMax = 128 * 1024;
const answerMs = 20_000;

/** PEM of the authority that the code pins. @throws ENROL_PIN, ENROL_UNREACHABLE, ENROL_REFUSED */
export async function fetchAuthority(claim: ClaimCode, signal?: AbortSignal): Promise<string> {
  // Nothing is believed of this connection: what it gives is compared to the pin.
  const answer = await ask(claim, 'GET', '/v1/authority', { rejectUnauthorized: false }, signal);
  if (answer.status !== 200) throw refusal(claim, answer);
  let der: Buffer;
  try {
    der = new X509Certificate(answer.body).raw;
  } catch (error) {
    const what = `${whereOf(claim)} sends no certificate as its authority`;
    throw new CodedError('ENROL_PIN', what, {}, { cause: error });
  }
  const pin = createHash('sha256').update(der).digest('base64url');
  if (pin !== claim.pin) {
    const what = `${whereOf(claim)} shows the authority ${pin}, the claim code pins ${claim.pin}`;
    throw new CodedError('ENROL_PIN', what, { host: whereOf(claim), pin });
  }
  return answer.body;
}

/** @throws ENROL_*, CLAIM_*, CSR_BAD */
export async function postEnrol(
  claim: ClaimCode,
  authorityPem: string,
  body: EnrolRequest,
  signal?: AbortSignal,
): Promise<EnrolResponse> {
  const tls = { ca: authorityPem, rejectUnauthorized: true };
  const answer = await ask(claim, 'POST', '/v1/enrol', tls, signal, JSON.stringify(body));
  if (answer.status !== 200) throw refusal(claim, answer);
  try {
    return enrolResponse(parseJson(answer.body, 'answer'), 'answer');
  } catch (error) {
    const what = `${whereOf(claim)} answers something else than an enrolment: ${messageOf(error)}`;
    throw new CodedError('ENROL_REFUSED', what, {}, { cause: error });
  }
}

/** PEM texts. */
interface Pair {
  readonly cert: string;
  readonly key: string;
}

/** A new certificate for the request's key. @throws ENROL_*, RENEW_REFUSED, CSR_BAD */
export async function postRenew(
  at: Host,
  authorityPem: string,
  own: Pair,
  csr: string,
  signal?: AbortSignal,
): Promise<string> {
  const tls = { ca: authorityPem, ...own, rejectUnauthorized: true };
  const answer = await ask(at, 'POST', '/v1/renew', tls, signal, JSON.stringify({ csr }));
  if (answer.status !== 200) throw refusal(at, answer);
  try {
    return renewResponse(parseJson(answer.body, 'answer'), 'answer').certificate;
  } catch (error) {
    const what = `${whereOf(at)} answers something else than a certificate: ${messageOf(error)}`;
    throw new CodedError('RENEW_REFUSED', what, {}, { cause: error });
  }
}

/** Whether the fleet takes this certificate. @throws ENROL_*, RENEW_REFUSED */
export async function tryCertificate(
  at: Host,
  authorityPem: string,
  own: Pair,
  signal?: AbortSignal,
): Promise<void> {
  const tls = { ca: authorityPem, ...own, rejectUnauthorized: true };
  const answer = await ask(at, 'GET', '/v1/renew', tls, signal);
  if (answer.status !== 200) throw refusal(at, answer);
}

interface Host {
  readonly host: string;
  readonly port: number;
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** @throws ENROL_PIN, ENROL_UNREACHABLE */
async function ask(
  claim: Host,
  method: 'GET' | 'POST',
  path: string,
  tls: RequestOptions,
  signal: AbortSignal | undefined,
  body?: string,
): Promise<Answer> {
  const timeout = AbortSignal.timeout(answerMs);
  try {
    return await new Promise<Answer>((resolve, reject) => {
      const sent = request({
        ...tls,
        host: claim.host.replace(/^\[|\]$/g, ''),
        port: claim.port,
        method,
        path,
        agent: false, // each connection has its own trust
        minVersion: 'TLSv1.2',
        signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
        headers: body === undefined ? {} : { 'content-type': 'application/json' },
      });
      sent.once('error', reject);
      sent.once('response', (response) => {
        const chunks: Buffer[] = [];
        let length = 0;
        response.on('data', (chunk: Buffer) => {
          length += chunk.length;
          if (length > answerBytesMax) response.destroy(new Error('the answer is too long'));
          else chunks.push(chunk);
        });
        response.once('error', reject);
        response.once('end', () => {
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() });
        });
      });
      sent.end(body);
    });
  } catch (error) {
    signal?.throwIfAborted();
    throw failure(claim, error);
  }
}

/** What Node says of a certificate that does not check. */
const untrusted = /^(CERT_|ERR_TLS_CERT_ALTNAME|UNABLE_TO_|SELF_SIGNED_CERT|DEPTH_ZERO_|INVALID_)/;

function failure(claim: Host, error: unknown): CodedError {
  const where = whereOf(claim);
  const code = String((error as { code?: unknown }).code);
  if (untrusted.test(code)) {
    const now = new Date().toISOString();
    const what = `the certificate of ${where} does not check: ${messageOf(error)} (the clock here says ${now})`;
    return new CodedError('ENROL_PIN', what, { host: where }, { cause: error });
  }
  return new CodedError(
    'ENROL_UNREACHABLE',
    `${where}: ${messageOf(error)}`,
    { host: where },
    { cause: error },
  );
}

/** The server's own code where it gives one: an expired claim is told as such. */
function refusal(claim: Host, answer: Answer): CodedError {
  const where = whereOf(claim);
  const facts = { host: where, status: answer.status };
  try {
    const { code, message } = parseJson(answer.body, 'answer') as Record<string, unknown>;
    if (
      typeof code === 'string' &&
      typeof message === 'string' &&
      /^(CLAIM|CSR|RENEW)_/.test(code)
    ) {
      const known = isCode(code) ? code : 'ENROL_REFUSED';
      return new CodedError(known, `${where}: ${message.slice(0, 500)}`, facts);
    }
    if (typeof message === 'string') {
      return new CodedError('ENROL_REFUSED', `${where}: ${message.slice(0, 500)}`, facts);
    }
  } catch {
    // not our server's words; the status must do
  }
  const code = answer.status >= 500 ? 'ENROL_UNREACHABLE' : 'ENROL_REFUSED';
  return new CodedError(code, `${where} answers with status ${answer.status}`, facts);
}

const whereOf = (claim: Host): string => `${claim.host}:${claim.port}`;
