// SPDX-License-Identifier: Apache-2.0
// The fleet's own connection to the broker, embedded or external. It reads the uplink of all devices of the
// tenant and writes what goes down. Messages arrive in the order in which the broker sent them. What a device
// sends is not trusted: a bad payload is counted and logged, and goes no further.

import { randomBytes } from 'node:crypto';
import { errorFacts, type Log, sparing } from '../../adapters/log.js';
import { type MqttLink, openMqtt } from '../../adapters/mqtt.js';
import type { DialOptions } from '../../adapters/mqtt-dial.js';
import { decodePayload, encodePayload } from '../../adapters/zstd.js';
import { parseTopic, uplinkFilter } from '../../protocol/topic.js';
import { linkName } from '../../provisioning/authority/identity.js';

export interface LinkOptions extends DialOptions {
  readonly tenant: string;
  readonly log: Log;
  /** Default 1. */
  readonly subscribeQos?: 0 | 1;
  /** Bounds of the delay between attempts; default 1 s and 5 min. */
  readonly delayMs?: { min: number; max: number };
  /** The text is UTF-8 of at most 256 KiB, not yet checked to be JSON. What it throws is logged. */
  onMessage(topic: string, text: string): void | Promise<void>;
  onState(connected: boolean): void;
}

export interface FleetLink {
  /**
   * Resolves when the broker has it; an empty text removes what is retained.
   * @throws LINK_DOWN, LINK_QUEUE_FULL, LINK_TOO_LARGE
   */
  publish(topic: string, text: string, options?: { retain?: boolean }): Promise<void>;
  readonly connected: boolean;
  /** Messages that were dropped: damaged, on a foreign topic, or more than could be read. */
  readonly droppedCount: number;
  close(): Promise<void>;
}

/** Messages that wait to be read; more are dropped, since a device says everything again. */
const unreadMax = 1024;

/** Resolves after the first attempt to connect, whatever came of it: the link mends itself. */
export async function openLink(options: LinkOptions): Promise<FleetLink> {
  const link = new Link(options);
  await link.tried;
  return link;
}

class Link implements FleetLink {
  readonly tried: Promise<void>;
  readonly #options: LinkOptions;
  readonly #mqtt: MqttLink;
  readonly #drops: Log;
  #dropped = 0;
  #unread = 0;
  #reading: Promise<void> = Promise.resolve();
  #packing: Promise<unknown> = Promise.resolve();

  constructor(options: LinkOptions) {
    this.#options = options;
    const { tenant } = options;
    this.#drops = sparing(options.log);
    let tried = (): void => undefined;
    this.tried = new Promise((resolve) => {
      tried = resolve;
    });
    this.#mqtt = openMqtt({
      ...options,
      clientId: `${linkName(tenant)}.${randomBytes(6).toString('hex')}`,
      keepaliveS: 60,
      onMessage: (topic, payload) => this.#queue(topic, payload),
      onConnect: () => {
        tried();
        options.onState(true);
      },
      onDisconnect: () => {
        tried();
        options.onState(false);
      },
    });
    void this.#mqtt.subscribe([uplinkFilter(tenant)]);
  }

  get connected(): boolean {
    return this.#mqtt.connected;
  }

  get droppedCount(): number {
    return this.#dropped;
  }

  async publish(topic: string, text: string, options: { retain?: boolean } = {}): Promise<void> {
    // One after the other: a short text must not overtake a long one that is still being compressed.
    const packed = this.#packing.then(() => encodePayload(text));
    this.#packing = packed.catch(() => undefined);
    await this.#mqtt.publish(topic, await packed, { retain: options.retain ?? false });
  }

  async close(): Promise<void> {
    await this.#mqtt.close();
    await this.#reading;
  }

  #queue(topic: string, payload: Buffer): void {
    if (payload.length === 0) return; // somebody's retained message was removed
    if (this.#unread >= unreadMax) {
      this.#drop(topic, new Error(`${unreadMax} messages wait already`));
      return;
    }
    this.#unread += 1;
    this.#reading = this.#reading.then(() => this.#read(topic, payload));
  }

  async #read(topic: string, payload: Buffer): Promise<void> {
    try {
      const parsed = parseTopic(topic);
      if (parsed?.kind !== 'up' || parsed.tenant !== this.#options.tenant) {
        this.#drop(topic, new Error('not an uplink topic of ours'));
        return;
      }
      const text = await decodePayload(payload);
      await this.#options.onMessage(topic, text);
    } catch (error) {
      this.#drop(topic, error);
    } finally {
      this.#unread -= 1;
    }
  }

  #drop(topic: string, error: unknown): void {
    this.#dropped += 1;
    this.#drops.warn({ topic, ...errorFacts(error) }, 'link: a message is dropped');
  }
}
