// SPDX-License-Identifier: Apache-2.0
// Brings the whole fleet server up in one process, and down again: database, keys, authority, broker, link,
// loop, registry, API. What fails on the way up takes down what was up already.

import { hostname } from 'node:os';
import { type Clock, systemClock } from '../adapters/clock.js';
import { makeFolder, readIfThere } from '../adapters/durable.js';
import { errorFacts, type Log } from '../adapters/log.js';
import type { Db } from '../adapters/sqlite.js';
import { openAttempts } from '../provisioning/authority/attempts.js';
import { type Authority, openAuthority } from '../provisioning/authority/authority.js';
import { openClaims } from '../provisioning/authority/claims.js';
import type { EnrolDeps } from '../provisioning/authority/enrol.js';
import { type Api, startApi } from './api/server.js';
import { epoch, fleetPlaces } from './config.js';
import { type Admitted, openAdmitted } from './devices/admitted.js';
import { enrolled } from './devices/change.js';
import { type Keys, openKeys, trustedPath } from './keys.js';
import { type Broker, startBroker } from './link/broker.js';
import { type FleetLink, openLink } from './link/link.js';
import { Loop } from './loop.js';
import { type Endpoint, writeOperator } from './operator.js';
import { openRegistry } from './registry/registry.js';
import { forgetPresence } from './store/devices.js';
import { openFleetDb } from './store/open.js';

export interface ServeOptions {
  readonly root: string;
  readonly listen: string;
  readonly httpsPort: number;
  readonly mqttPort: number;
  /** Hosts by which devices and operators reach it; the first is put into claim codes. */
  readonly names: readonly string[];
  readonly tenant: string;
  readonly log: Log;
  readonly clock?: Clock;
  /** The operator's word that a damaged or lost database may be replaced by an empty one. */
  readonly acceptEmptyDatabase?: boolean;
}

export interface Served {
  /** The name that is told to devices. */
  readonly host: string;
  readonly httpsPort: number;
  readonly mqttPort: number;
  readonly loop: Loop;
  close(): Promise<void>;
}

const renewMs = 12 * 3_600_000;

/** @throws SERVE_DATABASE, SERVE_LISTEN, LINK_LISTEN, AUTHORITY_BAD, CONFIG_BAD, STORE_CORRUPT, NO_SPACE */
export async function serve(options: ServeOptions): Promise<Served> {
  const closers: Array<() => Promise<void>> = [];
  const close = async (): Promise<void> => {
    for (const end of closers.splice(0).reverse()) {
      await end().catch((error: unknown) => {
        options.log.error(errorFacts(error), 'serve: a part did not end well');
      });
    }
  };
  try {
    return { ...(await bringUp(options, closers)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function bringUp(
  options: ServeOptions,
  closers: Array<() => Promise<void>>,
): Promise<Omit<Served, 'close'>> {
  const { root, tenant, log, clock = systemClock } = options;
  const places = fleetPlaces(root);
  const names = namesOf(options);
  await makeFolder(places.state, 0o700);
  const { db, recovered } = await openFleetDb(places.database, {
    isFirst: (await readIfThere(trustedPath(places.keys))) === undefined,
    acceptEmpty: options.acceptEmptyDatabase === true,
  });
  closers.push(() => db.close());
  if (recovered) log.error({ path: places.database }, 'the database was damaged and set aside');
  const keys = await openKeys(places.keys, places.operator, tenant);
  const reached = [...names, localHost(options.listen)];
  const authority = await openAuthority(places.authority, { tenant, names: reached });
  const admitted = await openAdmitted(db);
  const registry = await openRegistry({ dir: places.registry, log });
  closers.push(() => registry.close());

  const tls = tlsOf(authority);
  const broker = await startBroker({
    listen: options.listen,
    port: options.mqttPort,
    tls,
    tenant,
    isAdmitted: admitted.has,
    log,
  });
  closers.push(() => broker.close());

  const link = new LinkHolder({ options, broker, authority });
  const loop = new Loop({
    db,
    clock,
    log,
    signing: { tenant, epoch, key: keys.assignment },
    publish: (topic, text, how) => link.current().publish(topic, text, how),
  });
  await forgetPresence(db);
  await link.open(loop);
  closers.push(() => link.close());
  closers.push(() => loop.close());

  const api = await openApi({
    options,
    db,
    clock,
    keys,
    authority,
    admitted,
    broker,
    link,
    loop,
    names,
    registry: (request, response, identity) => registry.handle(request, response, identity),
  });
  closers.push(() => api.close());
  closers.push(keepCertificates({ authority, api, broker, link, loop, log }));

  const host = names[0] ?? hostname();
  const endpoint = endpointOf(options, names, api.port, broker.port);
  await writeOperator(places.operator, authority, endpoint, clock.now());
  return { host, httpsPort: api.port, mqttPort: broker.port, loop };
}

interface ApiParts {
  readonly options: ServeOptions;
  readonly db: Db;
  readonly clock: Clock;
  readonly keys: Keys;
  readonly authority: Authority;
  readonly admitted: Admitted;
  readonly broker: Broker;
  readonly link: LinkHolder;
  readonly loop: Loop;
  readonly names: readonly string[];
  readonly registry: Parameters<typeof startApi>[0]['registry'];
}

async function openApi(parts: ApiParts): Promise<Api> {
  const { options, db, clock, keys, authority, admitted, broker, link, loop, names } = parts;
  const claims = openClaims(db, clock);
  const attempts = openAttempts(clock);
  const host = names[0] ?? hostname();
  let port = options.httpsPort;
  const enrolment = (): EnrolDeps => ({
    authority,
    claims,
    attempts,
    trust: keys.trust,
    endpoints: {
      mqtt: { host, port: broker.port },
      registries: names.map((name) => hostPort(name, port)),
    },
    isAdmitted: admitted.has,
    addDevice: async (device) => {
      const id = await enrolled(db, device, clock.now());
      admitted.add(id, device.keyHash);
      return id;
    },
  });
  const api = await startApi({
    listen: options.listen,
    port,
    tls: tlsOf(authority),
    desk: {
      db,
      clock,
      tenant: options.tenant,
      claims,
      releaseKeys: keys.trust.release,
      endpoint: () => ({ host, port, pin: authority.pin }),
      isLinked: () => link.current().connected,
      look: () => loop.look(),
      revoked: (device) => {
        admitted.remove(device);
        broker.kick(device);
        loop.remove(device);
      },
    },
    enrolment,
    isAdmitted: admitted.has,
    registry: parts.registry,
    log: options.log,
  });
  port = api.port;
  return api;
}

/** The link to our broker; a new one takes its place when its certificate is renewed. */
class LinkHolder {
  readonly #parts: { options: ServeOptions; broker: Broker; authority: Authority };
  #link: FleetLink | undefined;

  constructor(parts: { options: ServeOptions; broker: Broker; authority: Authority }) {
    this.#parts = parts;
  }

  current(): FleetLink {
    if (this.#link === undefined) throw new Error('the link is asked for before it is open');
    return this.#link;
  }

  async open(loop: Loop): Promise<void> {
    const { options, broker, authority } = this.#parts;
    const { cert, key } = await authority.issueLink();
    const before = this.#link;
    let isConnected = false;
    this.#link = await openLink({
      host: localHost(options.listen),
      port: broker.port,
      tls: { ca: authority.certificatePem, cert, key },
      tenant: options.tenant,
      log: options.log,
      // The broker is in this process: there is no herd to spread.
      delayMs: { min: 50, max: 2000 },
      onMessage: (topic, text) => loop.onMessage(topic, text),
      onState: (connected) => {
        isConnected = connected;
        if (this.#link !== undefined) loop.onState(connected);
      },
    });
    if (isConnected) loop.onState(true);
    await before?.close();
  }

  async close(): Promise<void> {
    await this.#link?.close();
  }
}

/** Looks twice a day whether the server's certificate is due. Gives what ends it. */
function keepCertificates(parts: {
  authority: Authority;
  api: Api;
  broker: Broker;
  link: LinkHolder;
  loop: Loop;
  log: Log;
}): () => Promise<void> {
  const { authority, api, broker, link, loop, log } = parts;
  const renew = async (): Promise<void> => {
    if (!(await authority.refresh())) return;
    api.renew(tlsOf(authority));
    broker.renew(tlsOf(authority));
    await link.open(loop);
    log.info({}, 'serve: the certificates were renewed');
  };
  const timer = setInterval(() => {
    renew().catch((error: unknown) => log.error(errorFacts(error), 'serve: renewing failed'));
  }, renewMs);
  timer.unref();
  return async () => clearInterval(timer);
}

function tlsOf(authority: Authority): { key: string; cert: string; ca: string } {
  return { ...authority.server, ca: authority.certificatePem };
}

function isAny(listen: string): boolean {
  return listen === '0.0.0.0' || listen === '::';
}

/** As told, else the address listened on, else the machine's name. */
function namesOf(options: ServeOptions): string[] {
  if (options.names.length > 0) return [...options.names];
  return [isAny(options.listen) ? hostname() : options.listen];
}

function localHost(listen: string): string {
  return isAny(listen) ? '127.0.0.1' : listen;
}

function hostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function endpointOf(
  options: ServeOptions,
  names: readonly string[],
  port: number,
  mqttPort: number,
): Endpoint {
  const { tenant, listen } = options;
  const host = localHost(listen);
  const hosts = new Set([...names, host, 'localhost', '127.0.0.1']);
  const registries = [...hosts].map((name) => hostPort(name, port));
  return { tenant, host, port, mqttPort, registries };
}
