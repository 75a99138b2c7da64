// SPDX-License-Identifier: Apache-2.0
// Puts onto the broker what the database says: releases before the assignments that name them. The broker is
// only a cache: after each connect everything is published again, and what is not needed is removed.
// It remembers only what must still be sent, by name: the newest of each is read when it is sent.

import { errorFacts, type Log } from '../../adapters/log.js';
import type { Db } from '../../adapters/sqlite.js';
import { codeOf } from '../../protocol/error.js';
import { type Digest, hexOf } from '../../protocol/name.js';
import { desiredTopic, releaseTopic, sealedTopic } from '../../protocol/topic.js';
import { newestVersion, sealable } from '../sealed/secrets.js';
import { newestAssignment, newestAssignments } from '../store/assignments.js';
import { findRelease, retention, setRetained } from '../store/releases.js';

/** As fleet/link has it. An empty text removes what is retained. */
export type Publish = (topic: string, text: string, options: { retain: boolean }) => Promise<void>;

/** The signed document with a device's secrets; undefined where it has none. */
export type SealedOf = (device: string) => Promise<string | undefined>;

export class Publisher {
  readonly #db: Db;
  readonly #tenant: string;
  readonly #publish: Publish;
  readonly #log: Log;
  readonly #sealedOf: SealedOf;
  /** Devices whose secrets must go out; bounded by the devices of the fleet. */
  readonly #sealed = new Set<string>();
  /** Devices whose desired must go out; bounded by the devices of the fleet. */
  readonly #devices = new Set<string>();
  /** Devices whose desired must be taken away. */
  readonly #gone = new Set<string>();
  /** Releases that a device asked for; bounded by those of the fleet. */
  readonly #asked = new Set<Digest>();
  /** Releases that were published since the last connect. */
  readonly #fresh = new Set<Digest>();

  constructor(options: {
    db: Db;
    tenant: string;
    publish: Publish;
    log: Log;
    sealedOf?: SealedOf;
  }) {
    this.#db = options.db;
    this.#tenant = options.tenant;
    this.#publish = options.publish;
    this.#log = options.log;
    this.#sealedOf = options.sealedOf ?? (async () => undefined);
  }

  desired(device: string): void {
    this.#devices.add(device);
  }

  /** The device's secrets; without a name those of all. */
  async sealed(device?: string): Promise<void> {
    if ((await newestVersion(this.#db)) === 0) return; // there never was a secret
    const devices = device === undefined ? await sealable(this.#db) : [device];
    for (const one of devices) this.#sealed.add(one);
  }

  remove(device: string): void {
    this.#devices.delete(device);
    this.#sealed.delete(device);
    this.#gone.add(device);
  }

  release(digest: Digest): void {
    this.#asked.add(digest);
  }

  /** The broker may have lost everything. */
  async refill(): Promise<void> {
    this.#fresh.clear();
    for (const { device } of await newestAssignments(this.#db)) this.#devices.add(device);
    await this.sealed();
  }

  /** Sends what is noted. What cannot be sent waits for the next refill. */
  async flush(): Promise<void> {
    try {
      const { needed, surplus } = await retention(this.#db);
      await drain(this.#asked, (digest) => this.#sendRelease(digest, needed.includes(digest)));
      await drain(this.#devices, (device) => this.#sendDesired(device));
      await drain(this.#sealed, (device) => this.#sendSealed(device));
      await drain(this.#gone, (device) => this.#takeAway(device));
      for (const digest of surplus) await this.#prune(digest);
    } catch (error) {
      this.#log.warn(errorFacts(error), 'publish: put off to the next look');
    }
  }

  async #sendDesired(device: string): Promise<void> {
    const newest = await newestAssignment(this.#db, device);
    if (newest === undefined) return;
    if (newest.release !== null && !this.#fresh.has(newest.release)) {
      await this.#sendRelease(newest.release, true);
    }
    await this.#send(desiredTopic(this.#tenant, device), newest.envelope);
  }

  async #sendSealed(device: string): Promise<void> {
    const text = await this.#sealedOr(device);
    if (text !== undefined) await this.#send(sealedTopic(this.#tenant, device), text);
  }

  /** A secret that cannot be sealed must not hold up what devices shall run. */
  async #sealedOr(device: string): Promise<string | undefined> {
    try {
      return await this.#sealedOf(device);
    } catch (error) {
      if (!/^(SEAL|SIGN)_/.test(codeOf(error))) throw error;
      this.#log.error({ device, ...errorFacts(error) }, 'publish: secrets are not sent');
      return undefined;
    }
  }

  async #takeAway(device: string): Promise<void> {
    await this.#send(desiredTopic(this.#tenant, device), '');
    await this.#send(sealedTopic(this.#tenant, device), '');
  }

  async #sendRelease(digest: Digest, retain: boolean): Promise<void> {
    const found = await findRelease(this.#db, digest);
    if (found === undefined) return;
    // Noted first: a document on the broker that nobody knows of would never be pruned.
    if (retain && !found.retained) await setRetained(this.#db, digest, true);
    await this.#publish(releaseTopic(this.#tenant, hexOf(digest)), found.envelope, { retain });
    if (retain) this.#fresh.add(digest);
  }

  async #prune(digest: Digest): Promise<void> {
    await this.#send(releaseTopic(this.#tenant, hexOf(digest)), '');
    this.#fresh.delete(digest);
    await setRetained(this.#db, digest, false);
  }

  #send(topic: string, text: string): Promise<void> {
    return this.#publish(topic, text, { retain: true });
  }
}

/** Taken out before it is sent, so that one noted meanwhile is sent again; put back where sending failed. */
async function drain<T>(set: Set<T>, send: (item: T) => Promise<void>): Promise<void> {
  for (const item of set) {
    set.delete(item);
    try {
      await send(item);
    } catch (error) {
      set.add(item);
      throw error;
    }
  }
}
