// SPDX-License-Identifier: Apache-2.0
// Small real proxies on loopback: HTTP (CONNECT, and plain requests by absolute URL) and SOCKS5, with or without a
// login. Every name leads to one target, so that names that do not exist can be asked for.

import { createServer as createHttp, type IncomingMessage, request, type Server } from 'node:http';
import { type AddressInfo, connect, createServer as createTcp, type Socket } from 'node:net';
import type { ExecutionContext } from 'ava';

export interface TestProxy {
  readonly port: number;
  /** `CONNECT host:port`, `GET http://…`, `SOCKS host:port`. */
  readonly asked: string[];
}

/** `target`: 127.0.0.1:port that all is led to; 0 = nothing answers there. `login`: user:password. */
export async function anHttpProxy(
  t: ExecutionContext,
  target: number,
  login?: string,
): Promise<TestProxy> {
  const asked: string[] = [];
  const isIn = (message: IncomingMessage): boolean =>
    login === undefined ||
    message.headers['proxy-authorization'] === `Basic ${Buffer.from(login).toString('base64')}`;
  const server = createHttp((incoming, response) => {
    asked.push(`${incoming.method} ${incoming.url}`);
    if (!isIn(incoming)) {
      response.writeHead(407).end();
      return;
    }
    const { pathname, search } = new URL(incoming.url ?? '');
    const sent = request({
      port: target,
      host: '127.0.0.1',
      path: pathname + search,
      headers: incoming.headers,
    });
    sent.once('response', (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    sent.once('error', () => response.writeHead(502).end());
    sent.end();
  });
  server.on('connect', (incoming: IncomingMessage, socket: Socket, head: Buffer) => {
    asked.push(`CONNECT ${incoming.url}`);
    if (!isIn(incoming)) {
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
      return;
    }
    const out = connect(target, '127.0.0.1');
    out.once('connect', () => {
      socket.write('HTTP/1.1 200 Connection established\r\nvia: test\r\n\r\n');
      if (head.length > 0) out.write(head);
      join(socket, out);
    });
    out.once('error', () => socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n'));
  });
  return { port: await listen(t, server), asked };
}

export async function aSocksProxy(
  t: ExecutionContext,
  target: number,
  login?: string,
): Promise<TestProxy> {
  const asked: string[] = [];
  const server = createTcp((socket) => {
    socket.on('error', () => undefined);
    serve(socket, target, login, asked).catch(() => socket.destroy());
  });
  return { port: await listen(t, server), asked };
}

async function serve(
  socket: Socket,
  target: number,
  login: string | undefined,
  asked: string[],
): Promise<void> {
  const read = readerOf(socket);
  const [, count = 0] = await read(2);
  const methods = [...(await read(count))];
  const method = login === undefined ? 0 : 2;
  socket.write(Buffer.from([5, methods.includes(method) ? method : 255]));
  if (login !== undefined) {
    const [, nameLength = 0] = await read(2);
    const name = (await read(nameLength)).toString();
    const [wordLength = 0] = await read(1);
    const isRight = `${name}:${(await read(wordLength)).toString()}` === login;
    socket.write(Buffer.from([1, isRight ? 0 : 1]));
    if (!isRight) return void socket.end();
  }
  const [, , , kind = 0] = await read(4);
  const host = await hostOf(kind, read);
  const port = (await read(2)).readUInt16BE();
  asked.push(`SOCKS ${host}:${port}`);
  const out = connect(target, '127.0.0.1');
  out.once('error', () => socket.end(Buffer.from([5, 5, 0, 1, 0, 0, 0, 0, 0, 0])));
  out.once('connect', () => {
    socket.write(Buffer.from([5, 0, 0, 1, 127, 0, 0, 1, 0, 0]));
    join(socket, out);
  });
}

type Read = (length: number) => Promise<Buffer>;

async function hostOf(kind: number, read: Read): Promise<string> {
  if (kind === 1) return [...(await read(4))].join('.');
  if (kind === 4) {
    const hex = (await read(16)).toString('hex');
    return (hex.match(/.{4}/g) ?? []).map((word) => word.replace(/^0{1,3}/, '')).join(':');
  }
  const [length = 0] = await read(1);
  return (await read(length)).toString();
}

function readerOf(socket: Socket): Read {
  return async (length) => {
    for (;;) {
      if (length === 0) return Buffer.alloc(0);
      const bytes = socket.read(length) as Buffer | null;
      if (bytes !== null) return bytes;
      await new Promise((resolve, reject) => {
        socket.once('readable', resolve);
        socket.once('close', () => reject(new Error('closed')));
      });
    }
  };
}

function join(a: Socket, b: Socket): void {
  for (const socket of [a, b]) socket.on('error', () => undefined);
  a.pipe(b).pipe(a);
}

async function listen(
  t: ExecutionContext,
  server: Server | ReturnType<typeof createTcp>,
): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}
