// SPDX-License-Identifier: Apache-2.0
// The embedded MQTT broker: aedes behind mutual TLS, on a port of its own and by WebSocket. Who a client is stands in its certificate alone, and it
// may only take the name that stands there. What it may write, ask for and get is topic-rules.ts. Sessions
// are never kept: the database is the truth, and a device says hello after each connect.
//
// A forbidden publish closes the connection ([MQTT-3.3.5-2] leaves that or a false acknowledgement), a
// forbidden subscription gets 128 in its SUBACK, a forbidden delivery is dropped. All three are logged.

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { Aedes, type AuthenticateError, type Client, type PublishPacket } from 'aedes';
import { errorFacts, type Log } from '../../adapters/log.js';
import { webSocketAcceptor } from '../../adapters/mqtt-ws.js';
import { packetBound } from '../../adapters/packet-bound.js';
import { CodedError, messageOf } from '../../protocol/error.js';
import { commonName } from '../../protocol/name.js';
import { type Identity, identityOf, keyHashOf } from '../../provisioning/authority/identity.js';
import { type RetainedAccount, retainedAccount } from './retained.js';
import { mayPublish, mayReceive, mayRetain, maySubscribe } from './topic-rules.js';

export interface BrokerTls {
  readonly key: string;
  readonly cert: string;
  /** The authority; who is not signed by it does not get past the handshake. */
  readonly ca: string;
}

export interface BrokerOptions {
  readonly listen: string;
  /** 0 = any free one. */
  readonly port: number;
  readonly tls: BrokerTls;
  readonly tenant: string;
  /** In the database and in service? Asked on connect and on every message. */
  isAdmitted(device: string, keyHash: string): boolean;
  readonly log: Log;
}

export interface Broker {
  readonly port: number;
  /** Ends the device's connection, if it has one. */
  kick(device: string): void;
  /** New connections get the new certificate. */
  renew(tls: BrokerTls): void;
  /** Takes an HTTPS upgrade to a WebSocket with a client certificate; others are refused by HTTP status. */
  upgrade(request: IncomingMessage, socket: TLSSocket, head: Buffer): void;
  close(): Promise<void>;
}

const bounds = {
  connectionsMax: 20_000,
  subscriptionsMax: 64,
  handshakeMs: 10_000,
  connectMs: 10_000,
  /** A reader that takes nothing for so long is dropped: others wait behind it. */
  drainMs: 10_000,
  /** So is one with so many bytes before it, whatever the time. */
  backlogBytesMax: 8 * 1024 * 1024,
  /** Seconds; longer or no keepalive is refused, or dead links would stay. */
  keepaliveMaxS: 1200,
  retained: { countMax: 200_000, bytesMax: 512 * 1024 * 1024 },
  deviceRetainedBytesMax: 1024,
} as const;

/** @throws LINK_LISTEN */
export async function startBroker(options: BrokerOptions): Promise<Broker> {
  const gate = new Gate(options);
  const aedes = await Aedes.createBroker({
    concurrency: 1000,
    connectTimeout: bounds.connectMs,
    drainTimeout: bounds.drainMs,
    keepaliveLimit: bounds.keepaliveMaxS,
    maxClientsIdLength: 128,
    maxTopicLevels: 8,
    maxInflightInbound: 16,
    queueLimit: 42,
    preConnect: (client, packet, done) => {
      packet.clean = true; // a session that is not kept; the CONNACK says so
      gate.identify(client);
      const isAllowed = gate.mayWill(client, packet.will);
      if (isAllowed) done(null, true);
      else done(notAuthorised('the will is not on a topic of its own'), false);
    },
    authenticate: (client, _username, _password, done) => {
      const refusal = gate.refusal(client);
      if (refusal === undefined) done(null, true);
      else done(notAuthorised(refusal), false);
    },
    authorizePublish: (client, packet, done) => {
      done(client === null ? null : gate.publishError(client, packet));
    },
    authorizeSubscribe: (client, subscription, done) => {
      done(null, gate.mayRead(client, subscription.topic) ? subscription : null);
    },
    authorizeForward: (client, packet) => (gate.mayGet(client, packet.topic) ? packet : null),
  });
  aedes.on('unsubscribe', (filters, client) => gate.forget(client, filters));
  aedes.on('clientError', (client, error) => gate.note(client, error));
  aedes.on('connectionError', (client, error) => gate.note(client, error));

  const take = (stream: Duplex, socket: TLSSocket): void => {
    const isWithin = packetBound();
    stream.on('data', (chunk: Buffer) => {
      if (!isWithin(chunk)) socket.destroy(new Error('a packet is longer than the bound'));
    });
    gate.join(stream, socket);
    aedes.handle(stream);
  };
  const accept = webSocketAcceptor();
  const server = createServer(
    {
      ...options.tls,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.2',
      handshakeTimeout: bounds.handshakeMs,
    },
    (socket) => take(socket, socket),
  );
  server.maxConnections = bounds.connectionsMax;
  server.on('tlsClientError', (error, socket) => {
    options.log.info(
      { error: messageOf(error), address: socket.remoteAddress },
      'broker: a TLS handshake failed',
    );
  });
  const port = await listen(server, options).catch((error: unknown) => {
    aedes.close();
    throw error;
  });
  return {
    port,
    kick: (device) => gate.kick(commonName(options.tenant, device)),
    renew: (tls) => server.setSecureContext(tls),
    upgrade: (request, socket, head) => {
      const isFull = gate.count >= bounds.connectionsMax;
      if (socket.authorized && !isFull)
        accept(request, socket, head, (stream) => take(stream, socket));
      else
        socket.end(
          `HTTP/1.1 ${isFull ? '503 Busy' : '403 Forbidden'}\r\ncontent-length: 0\r\n\r\n`,
        );
    },
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await new Promise<void>((resolve) => aedes.close(() => resolve()));
      gate.kickAll();
      await closed;
    },
  };
}

async function listen(server: Server, at: { listen: string; port: number }): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      const where = `${at.listen}:${at.port}`;
      const what = `the broker cannot listen on ${where}: ${messageOf(error)}`;
      reject(new CodedError('LINK_LISTEN', what, { address: where }, { cause: error }));
    });
    server.listen(at.port, at.listen, resolve);
  });
  server.removeAllListeners('error');
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : at.port;
}

function notAuthorised(message: string): AuthenticateError {
  return Object.assign(new Error(message), { returnCode: 5 });
}

/** Knows who is connected and asks the rules for them. */
class Gate {
  readonly #options: BrokerOptions;
  readonly #identities = new WeakMap<Client, Identity>();
  readonly #names = new WeakMap<Client, string>();
  readonly #keyHashes = new WeakMap<Client, string>();
  readonly #filters = new WeakMap<Client, Set<string>>();
  readonly #clients = new Set<Client>();
  /** The TLS connection below each client's stream, which may be a WebSocket in it. */
  readonly #sockets = new WeakMap<Duplex, TLSSocket>();
  readonly #retained: RetainedAccount = retainedAccount(bounds.retained);

  constructor(options: BrokerOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#clients.size;
  }

  join(stream: Duplex, socket: TLSSocket): void {
    this.#sockets.set(stream, socket);
  }

  #socketOf(client: Client): TLSSocket {
    return this.#sockets.get(client.conn as Duplex) ?? (client.conn as TLSSocket);
  }

  identify(client: Client): void {
    const socket = this.#socketOf(client);
    const cert = socket.authorized ? socket.getPeerCertificate() : undefined;
    const identity = identityOf(cert);
    if (identity === undefined) return;
    this.#identities.set(client, identity);
    this.#names.set(client, String(cert?.subject.CN));
    if (cert !== undefined) this.#keyHashes.set(client, keyHashOf(cert));
    this.#clients.add(client);
    socket.once('close', () => this.#clients.delete(client));
  }

  /** Why the client may not come in; undefined = it may. */
  refusal(client: Client): string | undefined {
    const identity = this.#identities.get(client);
    const name = this.#names.get(client) ?? '';
    if (identity === undefined) return 'the certificate is of none that this broker knows';
    if (identity.kind !== 'operator' && identity.tenant !== this.#options.tenant) {
      return 'the certificate is of another tenant';
    }
    // Operators and links may come more than once, each with a suffix of its own.
    const isOwn =
      client.id === name || (identity.kind !== 'device' && client.id.startsWith(`${name}.`));
    if (!isOwn) return `the client id must be ${name}, as in the certificate`;
    return this.#isAdmitted(client, identity) ? undefined : 'the device is revoked or not known';
  }

  mayWill(client: Client, will: { topic: string; retain?: boolean } | undefined): boolean {
    const identity = this.#identities.get(client);
    if (will === undefined || identity === undefined) return true; // refusal() speaks next
    if (!mayPublish(identity, this.#options.tenant, will.topic)) return false;
    return will.retain !== true || mayRetain(identity, will.topic);
  }

  publishError(client: Client, packet: PublishPacket): Error | null {
    const { tenant } = this.#options;
    const identity = this.#identities.get(client);
    if (identity === undefined || !this.#isAdmitted(client, identity)) {
      return new Error('not allowed any more');
    }
    if (!mayPublish(identity, tenant, packet.topic)) {
      return new Error(`may not publish on ${packet.topic}`);
    }
    if (!packet.retain) return null;
    if (!mayRetain(identity, packet.topic)) return new Error(`may not retain on ${packet.topic}`);
    const { length } = packet.payload;
    if (identity.kind === 'device' && length > bounds.deviceRetainedBytesMax) {
      return new Error(`may not retain ${length} bytes`);
    }
    return this.#retained.book(packet.topic, length)
      ? null
      : new Error('the bound of retained messages is reached');
  }

  mayRead(client: Client, filter: string): boolean {
    const identity = this.#identities.get(client);
    const filters = this.#filters.get(client) ?? new Set<string>();
    this.#filters.set(client, filters);
    const isAllowed =
      identity !== undefined &&
      maySubscribe(identity, this.#options.tenant, filter) &&
      (filters.has(filter) || filters.size < bounds.subscriptionsMax);
    if (isAllowed) filters.add(filter);
    else {
      this.#options.log.warn({ client: client.id, filter }, 'broker: a subscription is refused');
    }
    return isAllowed;
  }

  forget(client: Client, filters: readonly string[]): void {
    for (const filter of filters) this.#filters.get(client)?.delete(filter);
  }

  mayGet(client: Client, topic: string): boolean {
    const identity = this.#identities.get(client);
    if (identity === undefined || !this.#isAdmitted(client, identity)) return false;
    if (!mayReceive(identity, this.#options.tenant, topic)) return false;
    const socket = this.#socketOf(client);
    const stream = client.conn as Duplex;
    const waiting = socket.writableLength + (stream === socket ? 0 : stream.writableLength);
    if (waiting <= bounds.backlogBytesMax) return true;
    if (!socket.destroyed) socket.destroy(new Error('the client reads too slowly'));
    return false;
  }

  note(client: Client, error: Error): void {
    const address = this.#socketOf(client).remoteAddress ?? '';
    const client_ = this.#names.get(client) ?? '';
    this.#options.log.warn(
      { client: client_, address, reason: messageOf(error) },
      'broker: a client is dropped',
    );
  }

  kick(name: string): void {
    for (const client of this.#clients) if (this.#names.get(client) === name) this.#end(client);
  }

  kickAll(): void {
    for (const client of this.#clients) this.#end(client);
  }

  #end(client: Client): void {
    client.close(() => undefined);
    this.#socketOf(client).destroy();
  }

  #isAdmitted(client: Client, identity: Identity): boolean {
    try {
      const keyHash = this.#keyHashes.get(client) ?? '';
      return identity.kind !== 'device' || this.#options.isAdmitted(identity.device, keyHash);
    } catch (error) {
      this.#options.log.error(errorFacts(error), 'broker: whether a device is admitted is unknown');
      return false;
    }
  }
}
