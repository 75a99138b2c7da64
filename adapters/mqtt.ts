// SPDX-License-Identifier: Apache-2.0
// One MQTT 3.1.1 connection over mutual TLS (mqtt-dial.ts) that mends itself: a clean session, a new client for every
// attempt, delays with decorrelated jitter, subscriptions renewed before onConnect is told. At most
// `inFlightMax` messages are unacknowledged and `waitingMax` wait; there is no offline store: a message that
// was not acknowledged is the caller's again (LINK_DOWN).

import type { TLSSocket } from 'node:tls';
import { MqttClient } from 'mqtt';
import { CodedError } from '../protocol/error.js';
import type { Log } from './log.js';
import { errorFacts } from './log.js';
import { type DialOptions, dial, type Wire } from './mqtt-dial.js';
import { lossOf, type Stage } from './mqtt-loss.js';
import { packetBound } from './packet-bound.js';
import { payloadBytesMax } from './zstd.js';

export interface MqttOptions extends DialOptions {
  clientId: string;
  /** Default 1. */
  subscribeQos?: 0 | 1;
  will?: { topic: string; payload: Buffer; retain: boolean };
  keepaliveS?: number;
  /** Bounds of the delay between attempts; default 1 s and 5 min. */
  delayMs?: { min: number; max: number };
  log: Log;
  /** Must not throw. */
  onMessage(topic: string, payload: Buffer): void;
  /** Told when the subscriptions are in place. */
  onConnect(): void;
  /** Told once for each lost connection and failed attempt; no reason after close(). */
  onDisconnect(reason: CodedError | undefined): void;
}

export interface MqttLink {
  /** Remembered and renewed; resolves at once while there is no connection. @throws LINK_SUBSCRIBE, LINK_DOWN */
  subscribe(topics: readonly string[]): Promise<void>;
  /** Forgotten; resolves when the broker knows it, or the link is gone. */
  unsubscribe(topics: readonly string[]): Promise<void>;
  /** Resolves when the broker has acknowledged (QoS 1, the default). @throws LINK_DOWN, LINK_QUEUE_FULL, LINK_TOO_LARGE */
  publish(
    topic: string,
    payload: Buffer,
    options: { retain?: boolean; qos?: 0 | 1 },
  ): Promise<void>;
  readonly connected: boolean;
  /** Says DISCONNECT, so that the will is not published; takes at most 2 s. */
  close(): Promise<void>;
}

export const inFlightMax = 8;
export const waitingMax = 64;
const ackMs = 30_000;
const connectMs = 20_000;
const closeMs = 2000;
/** A connection that held this long starts the delays again from the least. */
const soundMs = 30_000;

export function openMqtt(options: MqttOptions): MqttLink {
  const link = new Link(options);
  link.start();
  return link;
}

interface Job {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: 0 | 1;
  readonly retain: boolean;
  late?: NodeJS.Timeout;
  done(error?: CodedError): void;
}

class Link implements MqttLink {
  readonly #options: MqttOptions;
  readonly #delay: { min: number; max: number };
  readonly #topics = new Set<string>();
  readonly #inFlight = new Set<Job>();
  #waiting: Job[] = [];
  #client: MqttClient | undefined;
  #socket: TLSSocket | undefined;
  #dialling: AbortController | undefined;
  #timer: NodeJS.Timeout | undefined;
  #delayMs: number;
  #upAtMs = 0;
  #isUp = false;
  #isClosed = false;

  constructor(options: MqttOptions) {
    this.#options = options;
    this.#delay = options.delayMs ?? { min: 1000, max: 300_000 };
    this.#delayMs = this.#delay.min;
  }

  get connected(): boolean {
    return this.#isUp;
  }

  start(): void {
    let stage: Stage = 'handshake';
    const dialling = new AbortController();
    this.#dialling = dialling;
    dial(this.#options, connectMs, dialling.signal, () => {
      stage = 'connack';
    }).then(
      (wire) => this.#talk(wire),
      (error: unknown) => this.#lost(undefined, lossOf(error, stage, this.#options)),
    );
  }

  #talk({ stream, socket }: Wire): void {
    if (this.#isClosed) {
      socket.destroy();
      return;
    }
    const { clientId, will, keepaliveS } = this.#options;
    let reason: unknown;
    let stage: Stage = 'connack';
    const isWithin = packetBound();
    stream.on('data', (chunk: Buffer) => {
      if (!isWithin(chunk)) socket.destroy(new Error('the broker sent a packet that is too long'));
    });
    const client = new MqttClient(() => stream, {
      manualConnect: true,
      protocolVersion: 4,
      clean: true,
      clientId,
      keepalive: keepaliveS ?? 120,
      reconnectPeriod: 0,
      connectTimeout: connectMs,
      resubscribe: false,
      queueQoSZero: false,
      ...(will === undefined ? {} : { will: { ...will, qos: 1 } }),
    });
    const note = (error: unknown): void => {
      reason ??= error;
    };
    for (const end of new Set([stream, socket])) end.on('error', note);
    socket.once('close', () => this.#lost(client, lossOf(reason, stage, this.#options)));
    client.on('message', (topic, payload) => this.#options.onMessage(topic, payload));
    client.on('error', (error) => {
      note(error);
      socket.destroy();
    });
    client.on('connect', () => {
      stage = 'session';
      void this.#connected(client);
    });
    this.#socket = socket;
    this.#client = client;
    client.connect();
  }

  async #connected(client: MqttClient): Promise<void> {
    this.#isUp = true;
    this.#upAtMs = performance.now();
    try {
      await this.#send(client, [...this.#topics]);
    } catch (error) {
      this.#options.log.warn(errorFacts(error), 'mqtt: a subscription was not renewed');
    }
    if (this.#client === client && this.#isUp) this.#options.onConnect();
  }

  #lost(client: MqttClient | undefined, reason: CodedError): void {
    if (this.#client !== client) return;
    client?.removeAllListeners('message');
    client?.end(true);
    this.#client = undefined;
    const wasUp = this.#isUp;
    this.#isUp = false;
    for (const job of [...this.#inFlight, ...this.#waiting.splice(0)]) job.done(reason);
    if (this.#isClosed) return;
    if (wasUp && performance.now() - this.#upAtMs > soundMs) this.#delayMs = this.#delay.min;
    const { min, max } = this.#delay;
    const delayMs = Math.min(max, min + Math.random() * Math.max(0, this.#delayMs * 3 - min));
    this.#delayMs = delayMs;
    this.#timer = setTimeout(() => this.start(), delayMs);
    this.#options.log.info({ ...errorFacts(reason), delayMs: Math.round(delayMs) }, 'mqtt: down');
    this.#options.onDisconnect(reason);
  }

  async subscribe(topics: readonly string[]): Promise<void> {
    for (const topic of topics) this.#topics.add(topic);
    if (this.#client !== undefined && this.#isUp) await this.#send(this.#client, topics);
  }

  async unsubscribe(topics: readonly string[]): Promise<void> {
    const known = topics.filter((topic) => this.#topics.delete(topic));
    const client = this.#client;
    if (known.length === 0 || client === undefined || !this.#isUp) return;
    await new Promise<void>((resolve) => {
      this.#socket?.once('close', resolve);
      client.unsubscribe(known, () => {
        this.#socket?.off('close', resolve);
        resolve();
      });
    });
  }

  async #send(client: MqttClient, topics: readonly string[]): Promise<void> {
    if (topics.length === 0) return;
    const granted = await new Promise<ReadonlyArray<{ topic: string; qos: number }>>(
      (resolve, reject) => {
        const gone = (): void => reject(down(this.#options));
        this.#socket?.once('close', gone);
        client.subscribe(
          [...topics],
          { qos: this.#options.subscribeQos ?? 1 },
          (error, grants, packet) => {
            this.#socket?.off('close', gone);
            const codes = packet?.granted as number[] | undefined;
            if (codes !== undefined) {
              resolve(topics.map((topic, at) => ({ topic, qos: codes[at] ?? 128 })));
            } else if (error !== null) reject(down(this.#options, error));
            else resolve(grants ?? []);
          },
        );
      },
    );
    const refused = granted.find(({ qos }) => qos >= 128);
    if (refused === undefined) return;
    throw new CodedError('LINK_SUBSCRIBE', `the broker refuses the topic ${refused.topic}`, {
      topic: refused.topic,
    });
  }

  publish(
    topic: string,
    payload: Buffer,
    options: { retain?: boolean; qos?: 0 | 1 },
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const refusal = this.#refusal(topic, payload);
      if (refusal !== undefined) {
        reject(refusal);
        return;
      }
      const job: Job = {
        topic,
        payload,
        qos: options.qos ?? 1,
        retain: options.retain ?? false,
        done: (error) => {
          clearTimeout(job.late);
          this.#inFlight.delete(job);
          if (error === undefined) resolve();
          else reject(error);
        },
      };
      this.#waiting.push(job);
      this.#pump();
    });
  }

  #refusal(topic: string, payload: Buffer): CodedError | undefined {
    if (payload.length > payloadBytesMax) {
      return new CodedError('LINK_TOO_LARGE', `${topic}: ${payload.length} bytes are too many`, {
        topic,
        bytes: payload.length,
        bytesMax: payloadBytesMax,
      });
    }
    if (!this.#isUp) return down(this.#options);
    if (this.#waiting.length < waitingMax) return undefined;
    return new CodedError('LINK_QUEUE_FULL', `${topic}: ${waitingMax} messages wait already`, {
      topic,
    });
  }

  #pump(): void {
    while (this.#client !== undefined && this.#inFlight.size < inFlightMax) {
      const job = this.#waiting.shift();
      if (job === undefined) return;
      this.#start(this.#client, job);
    }
  }

  #start(client: MqttClient, job: Job): void {
    this.#inFlight.add(job);
    const socket = this.#socket;
    job.late = setTimeout(() => {
      job.done(down(this.#options, new Error(`no acknowledgement within ${ackMs} ms`)));
      socket?.destroy();
    }, ackMs);
    client.publish(job.topic, job.payload, { qos: job.qos, retain: job.retain }, (error) => {
      job.done(error === undefined || error === null ? undefined : down(this.#options, error));
      this.#pump();
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#dialling?.abort();
    const client = this.#client;
    const socket = this.#socket;
    if (client === undefined || socket === undefined || socket.destroyed) return;
    await new Promise<void>((resolve) => {
      const late = setTimeout(() => socket.destroy(), closeMs);
      socket.once('close', () => {
        clearTimeout(late);
        resolve();
      });
      if (this.#isUp) client.end(false);
      else socket.destroy();
    });
    this.#options.onDisconnect(undefined);
  }
}

function down(at: { host: string; port: number }, cause?: Error): CodedError {
  return new CodedError(
    'LINK_DOWN',
    `no connection to the broker ${at.host}:${at.port}`,
    { host: at.host, port: at.port },
    cause === undefined ? {} : { cause },
  );
}
