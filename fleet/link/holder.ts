// SPDX-License-Identifier: Apache-2.0
// The fleet's one link, to its own broker or to an outside one; when the link's certificate is renewed, a new
// link takes the old one's place.

import type { Log } from '../../adapters/log.js';
import type { BrokerAddress } from '../../protocol/broker.js';
import type { Authority } from '../../provisioning/authority/authority.js';
import { type FleetLink, openLink } from './link.js';

export interface HolderOptions {
  readonly address: BrokerAddress;
  readonly authority: Authority;
  readonly tenant: string;
  readonly log: Log;
  /** 0 for brokers that lose QoS 1 subscriptions; a device says again what was lost. */
  readonly subscribeQos: 0 | 1;
  /** There is one link: no herd to spread. */
  readonly delayMs: { min: number; max: number };
}

interface Listener {
  onMessage(topic: string, text: string): Promise<void>;
  onState(connected: boolean): void;
}

export class LinkHolder {
  readonly #options: HolderOptions;
  #link: FleetLink | undefined;

  constructor(options: HolderOptions) {
    this.#options = options;
  }

  current(): FleetLink {
    if (this.#link === undefined) throw new Error('the link is asked for before it is open');
    return this.#link;
  }

  /** Resolves after the first attempt, whatever came of it. */
  async open(listener: Listener): Promise<void> {
    const { address, authority, tenant, log, delayMs, subscribeQos } = this.#options;
    const { cert, key } = await authority.issueLink();
    const before = this.#link;
    let isConnected = false;
    this.#link = await openLink({
      ...address,
      tls: { ca: authority.certificatePem, cert, key },
      tenant,
      log,
      delayMs,
      subscribeQos,
      onMessage: (topic, text) => listener.onMessage(topic, text),
      onState: (connected) => {
        isConnected = connected;
        if (this.#link !== undefined) listener.onState(connected);
      },
    });
    if (isConnected) listener.onState(true);
    await before?.close();
  }

  async close(): Promise<void> {
    await this.#link?.close();
  }
}
