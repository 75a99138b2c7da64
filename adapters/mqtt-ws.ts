// SPDX-License-Identifier: Apache-2.0
// MQTT inside a WebSocket (OASIS MQTT 3.1.1 §6): both ends as plain byte streams over a TLS connection that is
// there already. Loaded only where it is used, since a device on mqtts:// has no memory to spare for it. A frame
// longer than the longest packet ends the connection; nothing is compressed.

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { createWebSocketStream, WebSocket, WebSocketServer } from 'ws';
import { packetBytesMax } from './packet-bound.js';

/** The Sec-WebSocket-Protocol of MQTT [MQTT-6.0.0-3]. */
const subprotocol = 'mqtt';
const bounds = {
  maxPayload: packetBytesMax,
  perMessageDeflate: false,
  skipUTF8Validation: true,
} as const;

/** What the server answers in place of an upgrade. */
export class UpgradeRefused extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`the server answers the WebSocket with HTTP status ${status}`);
    this.status = status;
  }
}

/** Resolves when the server agreed. Rejects with UpgradeRefused, or why the connection ended. */
export async function openWebSocket(
  socket: TLSSocket,
  at: { host: string; port: number; path: string },
  timeoutMs: number,
): Promise<Duplex> {
  const name = at.host.includes(':') ? `[${at.host}]` : at.host;
  const client = new WebSocket(`wss://${name}:${at.port}${at.path}`, [subprotocol], {
    ...bounds,
    handshakeTimeout: timeoutMs,
    createConnection: () => socket,
  });
  const stream = createWebSocketStream(client);
  stream.on('error', () => undefined); // told by the promise, later by the socket's close
  await new Promise<void>((resolve, reject) => {
    client.once('open', resolve);
    client.once('error', reject);
    client.once('unexpected-response', (_request: unknown, response: IncomingMessage) => {
      reject(new UpgradeRefused(response.statusCode ?? 0));
      client.terminate();
    });
    socket.once('close', () => {
      reject(Object.assign(new Error('closed by the broker'), { code: 'ECONNRESET' }));
    });
  });
  socket.once('close', () => stream.destroy());
  return stream;
}

/** Answers upgrade requests; each that agrees on `mqtt` becomes a stream. Others are refused by status. */
export function webSocketAcceptor(): (
  request: IncomingMessage,
  socket: TLSSocket,
  head: Buffer,
  accept: (stream: Duplex) => void,
) => void {
  const server = new WebSocketServer({
    ...bounds,
    noServer: true,
    clientTracking: false,
    handleProtocols: (offered) => (offered.has(subprotocol) ? subprotocol : false),
  });
  return (request, socket, head, accept) => {
    const offered = String(request.headers['sec-websocket-protocol'] ?? '').split(/\s*,\s*/);
    if (!offered.includes(subprotocol)) {
      socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
      return;
    }
    server.handleUpgrade(request, socket, head, (client) => {
      const stream = createWebSocketStream(client);
      socket.once('close', () => stream.destroy());
      accept(stream);
    });
  };
}
