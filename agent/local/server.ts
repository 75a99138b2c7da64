// SPDX-License-Identifier: Apache-2.0
// The agent's local socket: HTTP/1.1 on <run>/wherryd.sock for people and tools on the device, guarded by the
// file's mode (0660: root and its group). A GET only looks; the two POSTs are the only effects. Bodies,
// connections and answers are bounded.

import { chmod, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createConnection } from 'node:net';
import { dirname } from 'node:path';
import { makeFolder } from '../../adapters/durable.js';
import { errorFacts, type Log } from '../../adapters/log.js';
import type { Places } from '../../adapters/places.js';
import { CodedError, codeOf, messageOf } from '../../protocol/error.js';
import { checkSocketPath } from '../run/layout.js';
import type { Run } from '../run/types.js';
import type { Store } from '../store/types.js';
import { routeOf } from './routes.js';
import type { LoopView } from './types.js';

const connectionCountMax = 32;
const headTimeoutMs = 10_000;
const bodyTimeoutMs = 30_000;
const connectTimeoutMs = 2000;
const closeTimeoutMs = 2000;

export interface LocalParts {
  readonly places: Places;
  readonly store: Store;
  readonly run: Run;
  readonly view: LoopView;
  readonly log: Log;
}

/** Resolves once the socket answers. @throws CONFIG_BAD (path too long), LOCAL_TAKEN */
export async function serveLocal(parts: LocalParts): Promise<{ close(): Promise<void> }> {
  const path = parts.places.socket;
  checkSocketPath(path);
  await makeFolder(dirname(path), 0o750); // the group gets through to the socket, and others do not
  await removeStale(path);
  const closing = new AbortController();
  const server = createServer({ requestTimeout: bodyTimeoutMs, headersTimeout: headTimeoutMs });
  server.maxConnections = connectionCountMax;
  server.on('request', (request, response) => {
    void answer(parts, request, response, closing.signal);
  });
  server.on('clientError', (_error, socket) => socket.destroy());
  await listen(server, path);
  await chmod(path, 0o660);
  return {
    close: async () => {
      closing.abort(new CodedError('CLOSED', 'the agent is stopping'));
      await closeServer(server);
      await rm(path, { force: true });
    },
  };
}

async function answer(
  parts: LocalParts,
  request: IncomingMessage,
  response: ServerResponse,
  closing: AbortSignal,
): Promise<void> {
  const gone = new AbortController();
  response.on('close', () => gone.abort(new CodedError('CLOSED', 'the caller went away')));
  response.on('error', () => undefined); // 'close' follows
  const signal = AbortSignal.any([gone.signal, closing]);
  try {
    const url = new URL(request.url ?? '/', 'http://localhost');
    await routeOf(request.method ?? 'GET', url.pathname)(parts, { request, response, url, signal });
  } catch (error) {
    if (!signal.aborted) parts.log.debug(errorFacts(error), 'local request failed');
    refuse(response, error);
  }
}

/** Before the head: a status and {code, message, facts}. Within a stream of lines: one last line. */
function refuse(response: ServerResponse, error: unknown): void {
  if (response.destroyed || response.writableEnded) return;
  const body = {
    code: codeOf(error),
    message: messageOf(error),
    facts: error instanceof CodedError ? error.facts : {},
  };
  if (response.headersSent) {
    response.end(`${JSON.stringify({ error: body })}\n`);
    return;
  }
  response.writeHead(statusOf(body.code), {
    'content-type': 'application/json',
    connection: 'close',
  });
  response.end(JSON.stringify(body));
}

function statusOf(code: string): number {
  if (code === 'RUN_ABSENT') return 404;
  return ['LOCAL_REQUEST', 'JSON_BAD', 'SHAPE_BAD'].includes(code) ? 400 : 500;
}

/** A socket file that nobody answers on is left over from an agent that was killed. @throws LOCAL_TAKEN */
async function removeStale(path: string): Promise<void> {
  const taken = await new Promise<boolean>((resolve) => {
    const socket = createConnection(path);
    const end = (answers: boolean): void => {
      socket.destroy();
      resolve(answers);
    };
    socket.setTimeout(connectTimeoutMs, () => end(true));
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
  if (taken) throw new CodedError('LOCAL_TAKEN', `an agent answers on ${path}`, { path });
  await rm(path, { force: true });
}

async function listen(server: Server, path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ path }, resolve);
  });
}

async function closeServer(server: Server): Promise<void> {
  const ended = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), closeTimeoutMs);
  await ended;
  clearTimeout(timer);
}
