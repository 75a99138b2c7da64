// SPDX-License-Identifier: Apache-2.0
// Why a connection to the broker was lost or never came, as one of our codes: read from Node's and OpenSSL's
// error codes and from MQTT's return codes. It knows nothing about reconnecting.

import { CodedError, messageOf } from '../protocol/error.js';

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
  const where = `${at.host}:${at.port}`;
  const facts = { host: at.host, port: at.port };
  const cause = reason === undefined ? {} : { cause: reason };
  const code = (reason as { code?: unknown } | undefined)?.code;
  if (typeof code === 'number') {
    // [MQTT-3.2.2.3]: 4 and 5 are about who we are, 3 is "server unavailable".
    const name = code === 3 ? 'LINK_REFUSED' : 'LINK_AUTH';
    return new CodedError(name, `the broker ${where}: ${messageOf(reason)}`, facts, cause);
  }
  const word = String(code ?? '');
  if (unreachable.has(word)) {
    return new CodedError(
      'LINK_REFUSED',
      `the broker ${where}: ${messageOf(reason)}`,
      facts,
      cause,
    );
  }
  if (untrusted.test(word)) {
    const what = `the certificate of the broker ${where} is not trusted: ${messageOf(reason)}`;
    return new CodedError('LINK_CERTIFICATE', what, facts, cause);
  }
  if (refused.test(word)) {
    const what = `the broker ${where} refuses our certificate: ${messageOf(reason)}`;
    return new CodedError('LINK_AUTH', what, facts, cause);
  }
  const isEnded = reason === undefined || word === 'ECONNRESET' || word === 'EPIPE';
  if (stage === 'connack' && isEnded) {
    // TLS 1.3: the client is done before the server has looked at its certificate; some just hang up then.
    const what = `the broker ${where} ends the connection when it has seen our certificate`;
    return new CodedError('LINK_AUTH', what, facts, cause);
  }
  const why = reason === undefined ? 'closed by the broker' : messageOf(reason);
  return new CodedError('LINK_DOWN', `the connection to the broker ${where}: ${why}`, facts, cause);
}
