// SPDX-License-Identifier: Apache-2.0
// The one HTTPS server of the fleet: the registry under /v2/, enrolment for those without a certificate, and
// the operators' API under /v1/. Who asks is told by the certificate alone.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { errorFacts, type Log, sparing } from '../../adapters/log.js';
import { CodedError, codeOf, messageOf } from '../../protocol/error.js';
import { quoted } from '../../protocol/text.js';
import type { EnrolDeps } from '../../provisioning/authority/enrol.js';
import { answerEnrol } from '../../provisioning/authority/http.js';
import { type Identity, keyHashOf } from '../../provisioning/authority/identity.js';
import { bounds } from '../config.js';
import { Answers } from './answers.js';
import { type Answer, errorAnswer, readBody, send, whoAsks } from './exchange.js';
import { type Asked, type Desk, type Route, routes } from './routes.js';

export interface ApiTls {
  readonly key: string;
  readonly cert: string;
  readonly ca: string;
}

export interface ApiOptions {
  readonly listen: string;
  /** 0 = any free one. */
  readonly port: number;
  readonly tls: ApiTls;
  readonly desk: Desk;
  enrolment(): EnrolDeps;
  /** In the database and in service; anybody else with a certificate of ours is nobody. */
  isAdmitted(device: string, keyHash: string): boolean;
  /** Answers everything under /v2/. */
  registry(
    request: IncomingMessage,
    response: ServerResponse,
    identity: Identity | undefined,
  ): Promise<void>;
  /** Takes upgrades to a WebSocket at /mqtt; without it there are none. */
  upgrade?(request: IncomingMessage, socket: TLSSocket, head: Buffer): void;
  readonly log: Log;
}

export interface Api {
  readonly port: number;
  renew(tls: ApiTls): void;
  /** Ends what goes on after a short grace. */
  close(): Promise<void>;
}

/** @throws SERVE_LISTEN */
export async function startApi(options: ApiOptions): Promise<Api> {
  const { tls, log } = options;
  const answers = new Answers(options.desk.db, options.desk.clock);
  const refusals = sparing(log); // anybody on the network can cause them
  const server = createServer(
    {
      ...tls,
      requestCert: true,
      rejectUnauthorized: false, // enrolment comes without; whoAsks() looks at what was verified
      minVersion: 'TLSv1.2',
      handshakeTimeout: bounds.headersMs,
      headersTimeout: bounds.headersMs,
      requestTimeout: bounds.requestMs,
      maxHeaderSize: 16 * 1024,
    },
    (request, response) => {
      answer(options, answers, refusals, request, response).catch((error: unknown) => {
        log.error(errorFacts(error), 'api: a request failed');
        send(response, errorAnswer(error));
      });
    },
  );
  server.maxConnections = bounds.connectionsMax;
  const upgraded = takeUpgrades(server, options);
  const port = await listen(server, options);
  return {
    port,
    renew: (fresh) => server.setSecureContext(fresh),
    close: () => {
      for (const socket of upgraded) socket.destroy();
      return close(server);
    },
  };
}

/** The connections that are no longer HTTP's. */
function takeUpgrades(server: Server, options: ApiOptions): ReadonlySet<TLSSocket> {
  const upgraded = new Set<TLSSocket>();
  if (options.upgrade === undefined) return upgraded;
  server.on('upgrade', (request: IncomingMessage, duplex, head: Buffer) => {
    const socket = duplex as TLSSocket;
    socket.on('error', () => undefined); // told by its close
    if ((request.url ?? '').split('?')[0] !== '/mqtt') {
      socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
      return;
    }
    upgraded.add(socket);
    socket.once('close', () => upgraded.delete(socket));
    options.upgrade?.(request, socket, head);
  });
  return upgraded;
}

async function answer(
  options: ApiOptions,
  answers: Answers,
  refusals: Log,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = (request.url ?? '/').split('?')[0] ?? '/';
  if (path === '/healthz') return send(response, { status: 200, body: { status: 'ok' } });
  if (await answerEnrol(request, response, options.enrolment(), options.log, refusals)) return;
  const identity = known(whoAsks(request), request, options);
  if (path === '/v2' || path.startsWith('/v2/')) {
    return options.registry(request, response, identity);
  }
  try {
    send(response, await operate(options, answers, request, path, identity));
  } catch (error) {
    const facts = { path: quoted(path), method: request.method, ...errorFacts(error) };
    if (codeOf(error) === 'BUG') options.log.error(facts, 'api: a request failed');
    else refusals.info(facts, 'api: a request is refused');
    send(response, errorAnswer(error));
  }
}

/** A device that is not in service is nobody. */
function known(
  identity: Identity | undefined,
  request: IncomingMessage,
  options: ApiOptions,
): Identity | undefined {
  if (identity?.kind !== 'device') return identity;
  const keyHash = keyHashOf((request.socket as TLSSocket).getPeerCertificate());
  const isOurs =
    identity.tenant === options.desk.tenant && options.isAdmitted(identity.device, keyHash);
  return isOurs ? identity : undefined;
}

async function operate(
  options: ApiOptions,
  answers: Answers,
  request: IncomingMessage,
  path: string,
  identity: Identity | undefined,
): Promise<Answer> {
  if (identity?.kind !== 'operator') {
    const who =
      identity === undefined ? 'no certificate of this fleet came' : `a ${identity.kind} came`;
    throw new CodedError('API_IDENTITY', `operators only, and ${who} with the request`);
  }
  const [route, groups] = find(request.method ?? '', path);
  const body = route.method === 'POST' ? await readBody(request) : undefined;
  const { searchParams } = new URL(request.url ?? '/', 'https://fleet');
  const asked: Asked = { actor: identity.name, path: groups, query: searchParams, body };
  const key = request.headers['idempotency-key'];
  const work = (): Promise<Answer> => route.run(options.desk, asked);
  if (typeof key !== 'string' || route.method === 'GET' || route.isSecret === true) return work();
  const what = `${request.method} ${request.url} ${JSON.stringify(body)}`;
  return answers.once({ actor: identity.name, key, request: what }, work);
}

/** @throws API_UNKNOWN */
function find(method: string, path: string): [Route, string[]] {
  for (const route of routes) {
    const match = route.method === method ? route.path.exec(path) : null;
    if (match !== null) return [route, match.slice(1).map(decode)];
  }
  throw new CodedError('API_UNKNOWN', `there is no ${method} ${quoted(path)}`);
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (error) {
    throw new CodedError('API_UNKNOWN', 'the path is not well encoded', {}, { cause: error });
  }
}

async function listen(server: Server, at: { listen: string; port: number }): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      const where = `${at.listen}:${at.port}`;
      const what = `cannot listen on ${where}: ${messageOf(error)}`;
      reject(new CodedError('SERVE_LISTEN', what, { address: where }, { cause: error }));
    });
    server.listen(at.port, at.listen, resolve);
  });
  server.removeAllListeners('error');
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : at.port;
}

const graceMs = 1000;

async function close(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearTimeout(timer);
}
