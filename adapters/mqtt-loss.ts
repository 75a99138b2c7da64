// SPDX-License-Identifier: Apache-2.0
// Why a connection to the broker was lost or never came, as one of our codes: read from Node's and OpenSSL's
// error codes and from MQTT's return codes. It knows nothing about reconnecting.

import type { Code } from '../protocol/codes.js';
import { CodedError, messageOf } from '../protocol/error.js';
import { ProxyFault } from './tunnel.js';

const unreachable = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'EADDRNOTAVAIL',
]);

/** What OpenSSL says of the other side's certificate; Node gives these as `code`. */
const untrusted =
  /^(CERT_|ERR_TLS_CERT_ALTNAME|UNABLE_TO_|SELF_SIGNED_CERT|DEPTH_ZERO_|ERR_SSL_WRONG_VERSION|HOSTNAME_MISMATCH|INVALID_)/;

/** What the other side says of ours: TLS alerts (RFC 8446 §6.2). */
const refused = /^ERR_SSL_(TLSV1|SSLV3|TLSV13)_ALERT_/;

/** How far the connection had come: the TCP or TLS handshake, the wait for the CONNACK, or a session. */
export type Stage = 'handshake' | 'connack' | 'session';

export function lossOf(
  reason: unknown,
  stage: Stage,
  at: { host: string; port: number },
): CodedError {
  if (reason instanceof CodedError) return reason;
  const where = `${at.host}:${at.port}`;
  const [code, what] = said(reason, where) ?? guessed(reason, stage, where);
  const cause = reason === undefined ? {} : { cause: reason };
  return new CodedError(code, what, { host: at.host, port: at.port }, cause);
}

type Loss = readonly [Code, string];

/** What the reason says by itself. */
function said(reason: unknown, where: string): Loss | undefined {
  const text = messageOf(reason);
  if (reason instanceof ProxyFault) return ['LINK_PROXY', text];
  const { code, status } = (reason ?? {}) as { code?: unknown; status?: unknown };
  if (typeof code === 'number' || typeof status === 'number') {
    return [isAboutUs(code, status) ? 'LINK_AUTH' : 'LINK_REFUSED', `the broker ${where}: ${text}`];
  }
  const word = String(code ?? '');
  if (unreachable.has(word)) return ['LINK_REFUSED', `the broker ${where}: ${text}`];
  if (untrusted.test(word)) {
    return ['LINK_CERTIFICATE', `the certificate of the broker ${where} is not trusted: ${text}`];
  }
  if (!refused.test(word)) return undefined;
  return ['LINK_AUTH', `the broker ${where} refuses our certificate: ${text}`];
}

/** [MQTT-3.2.2.3]: 4 and 5 are about who we are, 3 is "server unavailable"; `status` is HTTP's. */
function isAboutUs(code: unknown, status: unknown): boolean {
  return typeof code === 'number' ? code !== 3 : status === 401 || status === 403;
}

/** What it must mean at this stage. */
function guessed(reason: unknown, stage: Stage, where: string): Loss {
  const word = String((reason as { code?: unknown } | undefined)?.code ?? '');
  const isEnded = reason === undefined || word === 'ECONNRESET' || word === 'EPIPE';
  if (stage === 'connack' && isEnded) {
    // TLS 1.3: the client is done before the server has looked at its certificate; some just hang up then.
    return [
      'LINK_AUTH',
      `the broker ${where} ends the connection when it has seen our certificate`,
    ];
  }
  const why = reason === undefined ? 'closed by the broker' : messageOf(reason);
  return ['LINK_DOWN', `the connection to the broker ${where}: ${why}`];
}
