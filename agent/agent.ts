// SPDX-License-Identifier: Apache-2.0
// The agent's rooms, put together: store, run and pull below the loop; link, receiver and speaker beside it;
// the socket for people on the device. It holds the threads between them and decides nothing.

import { totalmem } from 'node:os';
import { instantOf, systemClock } from '../adapters/clock.js';
import { type Cron, openCron } from '../adapters/cron.js';
import { errorFacts, type Log } from '../adapters/log.js';
import type { Places } from '../adapters/places.js';
import { type ImageConfig, parseConfig } from '../images/oci/config.js';
import { cpuPlatform } from '../images/oci/cpu.js';
import { hostPlatform } from '../images/oci/platform.js';
import { certDirsOf } from '../images/registry/certs.js';
import { readSettings } from '../images/registry/settings.js';
import type { Credentials } from '../images/registry/tokens.js';
import type { Event } from '../protocol/device.js';
import { CodedError } from '../protocol/error.js';
import { type DeviceIdentity, expiryOf, loadIdentity } from '../provisioning/device/identity.js';
import { renewAt, renewIdentity } from '../provisioning/device/renew.js';
import { loginFrom, openSealed, type Sealed } from '../provisioning/device/seal.js';
import { settleCutOff } from './apply/apply.js';
import type { EventFacts } from './apply/context.js';
import * as bounds from './config.js';
import { openReceiver, type Receiver } from './desired/receive.js';
import { missingReleases } from './desired/release.js';
import { type AgentLink, openLink } from './link/link.js';
import { serveLocal } from './local/server.js';
import { type Loop, openLoop, type Seen } from './loop.js';
import { openPull } from './pull/pull.js';
import { helloOf } from './report/hello.js';
import { type SaidFacts, Speaker } from './report/speak.js';
import { openRun } from './run/run.js';
import { openStore } from './store/open.js';
import type { Store, StoredImage } from './store/types.js';
import { viewOf } from './view.js';

export interface AgentParts {
  readonly places: Places;
  readonly config: bounds.AgentConfig;
  readonly log: Log;
  readonly version: string;
}

/** Resolves when the loop goes on what is known locally and the socket answers; the link comes later. */
export async function openAgent(parts: AgentParts): Promise<{ close(): Promise<void> }> {
  const { places, config, log, version } = parts;
  const clock = systemClock;
  const { store } = await openStore(places, log.child({ room: 'store' }));
  const { bindRoots } = config.policy;
  await settleCutOff({ store, clock, log: log.child({ room: 'loop' }) });
  const run = await openRun({ places, store, log: log.child({ room: 'run' }), clock, bindRoots });
  const certDirs = certDirsOf(places.config);
  const platform = cpuPlatform();
  const outside = new Outside(parts, store);
  const registry = {
    ...(await readSettings(places.config, process.env)),
    credentials: (host: string) => outside.login(host),
  };
  const pullLog = log.child({ room: 'pull' });
  const pull = openPull({ store, log: pullLog, clock, platform, certDirs, registry });
  await outside.start();
  const loop = openLoop({
    store,
    run,
    pull,
    clock,
    log: log.child({ room: 'loop' }),
    policy: config.policy,
    diskLowBytes: config.diskLowBytes,
    configOf: (image) => configOf(store, image),
    eventOf: (facts) => outside.eventOf(facts),
    onSeen: (seen) => outside.say(seen),
  });
  const unwatch = run.watch(() => loop.ring());
  const view = viewOf({ store, loop, pull, registry: { ...registry, certDirs }, version, outside });
  const local = await serveLocal({ places, store, run, view, log: log.child({ room: 'local' }) });
  outside.join(loop);
  return {
    close: async () => {
      unwatch();
      await Promise.all([outside.close(), local.close(), loop.close()]);
      await store.close();
    },
  };
}

async function configOf(store: Store, image: StoredImage): Promise<ImageConfig> {
  const bytes = await store.blobs.read(image.config);
  if (bytes !== undefined) return parseConfig(bytes);
  await store.images.remove(image.digest); // it is pulled again, and only what it lacks
  throw new CodedError('STORE_CORRUPT', `the config of image ${image.digest} is lost`, {
    image: image.digest,
  });
}

/** Everything that has to do with the fleet: the link while there is an identity, and what is said over it. */
export class Outside {
  readonly #parts: AgentParts;
  readonly #store: Store;
  readonly #log: Log;
  readonly #speaker: Speaker;
  readonly #closing = new AbortController();
  #identity: DeviceIdentity | undefined;
  #sealed: Sealed | undefined;
  #link: AgentLink | undefined;
  #down: CodedError | undefined;
  #cron: Cron | undefined;
  #loop: Loop | undefined;
  #seen: Seen | undefined;
  /** The last accepted assignment's epoch: reports carry it. */
  #epoch = 0;
  #askAtMs = Number.NEGATIVE_INFINITY;

  constructor(parts: AgentParts, store: Store) {
    this.#parts = parts;
    this.#store = store;
    this.#log = parts.log.child({ room: 'link' });
    this.#speaker = new Speaker({
      store,
      now: () => instantOf(systemClock.now()),
      sleep: (ms) => systemClock.sleep(ms, this.#closing.signal).catch(() => undefined),
      reportMsMin: bounds.reportMsMin,
      eventCountMax: bounds.eventCountMax,
      onError: (error, what) => this.#log.info({ what, ...errorFacts(error) }, 'not said'),
    });
  }

  get who(): { device: string | null; tenant: string | null; linked: boolean } {
    const { device = null, tenant = null } = this.#identity ?? {};
    return { device, tenant, linked: this.#link?.connected === true };
  }

  get speaker(): Speaker {
    return this.#speaker;
  }

  async start(): Promise<void> {
    this.#epoch = (await this.#store.desired.assignment())?.assignment.epoch ?? 0;
    await this.#speaker.start();
  }

  async eventOf(facts: EventFacts): Promise<Event> {
    const assignment = (await this.#store.desired.assignment())?.assignment;
    const { bootId } = this.#store;
    const { epoch = 0, generation = 0 } = assignment ?? {};
    const at = instantOf(systemClock.now());
    return { bootId, seq: await this.#store.nextSeq(), epoch, generation, ...facts, at };
  }

  factsOf(seen: Seen): SaidFacts {
    return { ...seen, epoch: this.#epoch, linked: this.#linkedWord() };
  }

  #linkedWord(): SaidFacts['linked'] {
    if (this.#link?.connected === true) return { status: 'True' };
    if (this.#identity === undefined) return { status: 'False', code: 'AGENT_UNENROLLED' };
    return {
      status: 'False',
      code: this.#down?.code ?? 'LINK_DOWN',
      ...(this.#down === undefined ? {} : { message: this.#down.message }),
    };
  }

  say(seen: Seen): void {
    this.#seen = seen;
    this.#speaker.offer(this.factsOf(seen));
    const lacks = seen.steps.some(
      (step) => step.kind === 'wait' && step.code === 'DESIRED_MISSING',
    );
    if (!lacks || systemClock.monotonicMs() < this.#askAtMs) return;
    this.#askAtMs = systemClock.monotonicMs() + bounds.idleMsMax;
    void this.#hello();
  }

  /** Looks for an identity until there is one, and connects with it. */
  join(loop: Loop): void {
    this.#loop = loop;
    const { helloPattern, helloJitterMsMax, sweepPattern, sweepJitterMsMax } = bounds;
    const { renewPattern, renewJitterMsMax } = bounds;
    const jobs = [
      {
        name: 'hello',
        pattern: helloPattern,
        jitterMsMax: helloJitterMsMax,
        run: () => this.#hello(),
      },
      {
        name: 'renew',
        pattern: renewPattern,
        jitterMsMax: renewJitterMsMax,
        run: () => this.#renew(loop),
      },
      {
        name: 'sweep',
        pattern: sweepPattern,
        jitterMsMax: sweepJitterMsMax,
        run: async () => void (await loop.sweep()),
      },
    ];
    this.#cron = openCron(jobs, { clock: systemClock, log: this.#log });
    void this.#connect(loop);
  }

  /** Waits for an identity, or for the end. */
  async #identified(): Promise<void> {
    const { signal } = this.#closing;
    let told = '';
    while (this.#identity === undefined && !signal.aborted) {
      try {
        this.#identity = await loadIdentity(this.#parts.places.config);
      } catch (error) {
        const facts = errorFacts(error);
        if (told !== JSON.stringify(facts)) this.#log.error(facts, 'the identity cannot be used');
        told = JSON.stringify(facts);
      }
      if (this.#identity !== undefined) break;
      await systemClock.sleep(bounds.identityMs, signal).catch(() => undefined);
    }
  }

  async #connect(loop: Loop): Promise<void> {
    await this.#identified();
    await this.#linked(loop);
    await this.#renew(loop); // it may have been off when it was due
  }

  /** What fails (a full disk, say) is logged and tried again: what runs does not need the link. */
  async #linked(loop: Loop): Promise<void> {
    const { signal } = this.#closing;
    while (this.#identity !== undefined && !signal.aborted) {
      try {
        await this.#openSealed(this.#identity, loop);
        await this.#openLink(this.#identity, loop);
        return;
      } catch (error) {
        this.#log.error(errorFacts(error), 'the link cannot be opened');
        await systemClock.sleep(bounds.identityMs, signal).catch(() => undefined);
      }
    }
  }

  /** What fails is logged and tried again by the cron's pattern; nothing stops for it. */
  async #renew(loop: Loop): Promise<void> {
    if (this.#identity === undefined || this.#closing.signal.aborted) return;
    if (systemClock.now() < renewAt(this.#identity)) return;
    try {
      const { config } = this.#parts.places;
      const fresh = await renewIdentity(config, this.#identity, this.#closing.signal);
      if (fresh === undefined) return;
      this.#identity = fresh;
      this.#log.info({ until: instantOf(expiryOf(fresh)) }, 'the certificate was renewed');
      await this.#link?.close();
      await this.#linked(loop);
    } catch (error) {
      this.#log.warn(errorFacts(error), 'the certificate was not renewed');
    }
  }

  async #openLink(identity: DeviceIdentity, loop: Loop): Promise<void> {
    const seq = await this.#store.nextSeq();
    const receiver = this.#receiver(identity, loop);
    const { broker, proxy, plain, linkDelayMs } = this.#parts.config;
    this.#link = openLink({
      identity,
      plain,
      ...(broker === undefined ? {} : { broker }),
      ...(proxy === undefined ? {} : { proxy }),
      bootId: this.#store.bootId,
      seq,
      log: this.#log,
      ...(linkDelayMs === undefined ? {} : { delayMs: linkDelayMs }),
      onDesired: (text) => receiver.desired(text),
      onRelease: (text) => receiver.release(text),
      onSealed: (text) => this.#takeSealed(text, loop),
      onUp: () => void this.#up(),
      onDown: (reason) => {
        this.#down = reason;
      },
    });
    this.#speaker.attach(this.#link);
  }

  /** Of a registry, from the secrets that the fleet sealed to this device. */
  login(host: string): Credentials | undefined {
    return this.#sealed === undefined ? undefined : loginFrom(this.#sealed, host);
  }

  async #openSealed(identity: DeviceIdentity, loop: Loop): Promise<void> {
    this.#sealed = await openSealed(this.#parts.places.config, identity);
    if (this.#sealed.names.length === 0) return;
    await this.#store.journal.clearBackoffs(); // a pull may have been quicker
    loop.ring();
  }

  async #takeSealed(text: string, loop: Loop): Promise<void> {
    if ((await this.#sealed?.accept(text)) !== 'new') return;
    this.#log.info({ names: this.#sealed?.names.length ?? 0 }, 'sealed secrets received');
    await this.#store.journal.clearBackoffs(); // a pull may have failed for want of them
    loop.ring();
  }

  #receiver(identity: DeviceIdentity, loop: Loop): Receiver {
    return openReceiver({
      believer: identity,
      store: this.#store,
      now: systemClock.now,
      eventOf: (facts) => this.eventOf(facts),
      refusedCountMax: bounds.refusedCountMax,
      onRefused: (error) => this.#log.warn(errorFacts(error), 'desired refused'),
      onReleased: (digest) => {
        this.#log.info({ release: digest }, 'release received');
        void this.#want();
        loop.ring();
      },
      onAccepted: ({ epoch, generation, release }, missing) => {
        this.#log.info({ generation, release: release?.digest ?? null }, 'desired accepted');
        this.#epoch = epoch;
        this.#askAtMs = systemClock.monotonicMs() + bounds.missingMs;
        if (missing.length > 0) setTimeout(() => loop.ring(), bounds.missingMs).unref();
        void this.#want();
        loop.ring();
      },
    });
  }

  /** Subscribes to the documents of releases that are missing, and to no others. */
  async #want(): Promise<void> {
    try {
      await this.#link?.want(await missingReleases(this.#store));
    } catch (error) {
      this.#log.info(errorFacts(error), 'release not subscribed; hello asks for it');
    }
  }

  async #up(): Promise<void> {
    try {
      this.#down = undefined;
      await this.#want();
      await this.#speaker.up(await this.#helloNow());
      if (this.#seen !== undefined) this.say(this.#seen);
      this.#loop?.ring();
    } catch (error) {
      this.#log.error(errorFacts(error), 'the connection could not be used');
    }
  }

  async #hello(): Promise<void> {
    if (this.#link?.connected !== true) return;
    try {
      await this.#speaker.hello(await this.#helloNow());
    } catch (error) {
      this.#log.warn(errorFacts(error), 'hello not said');
    }
  }

  async #helloNow(): ReturnType<typeof helloNow> {
    return helloNow(this.#store, this.#parts.version);
  }

  async close(): Promise<void> {
    this.#closing.abort(new CodedError('CLOSED', 'the agent is stopping'));
    this.#cron?.close();
    await this.#link?.close();
  }
}

async function helloNow(store: Store, agent: string): Promise<ReturnType<typeof helloOf>> {
  return helloOf({
    bootId: store.bootId,
    seq: await store.nextSeq(),
    assignment: (await store.desired.assignment())?.assignment,
    missing: await missingReleases(store),
    agent,
    platform: hostPlatform(),
    memoryBytes: totalmem(),
    at: instantOf(systemClock.now()),
  });
}
