// SPDX-License-Identifier: Apache-2.0
// Brings the whole fleet server up in one process, and down again: database, keys, authority, broker, link,
// loop, registry, API. What fails on the way up takes down what was up already.

import { hostname } from 'node:os';
import { type Clock, systemClock } from '../adapters/clock.js';
import { makeFolder, readIfThere } from '../adapters/durable.js';
import { errorFacts, type Log } from '../adapters/log.js';
import type { Db } from '../adapters/sqlite.js';
import type { BrokerAddress } from '../protocol/broker.js';
import { openAttempts } from '../provisioning/authority/attempts.js';
import { type Authority, openAuthority } from '../provisioning/authority/authority.js';
import { openClaims } from '../provisioning/authority/claims.js';
import type { EnrolDeps } from '../provisioning/authority/enrol.js';
import { type Api, startApi } from './api/server.js';
import { keepCertificates, tlsOf } from './certificates.js';
import { epoch, fleetPlaces } from './config.js';
import { type Admitted, openAdmitted } from './devices/admitted.js';
import { enrolled } from './devices/change.js';
import { type Keys, openKeys, trustedPath } from './keys.js';
import { type Broker, startBroker } from './link/broker.js';
import { LinkHolder } from './link/holder.js';
import { logProbe } from './link/probe.js';
import { type Told, tellBroker } from './link/told.js';
import { Loop } from './loop.js';
import { type Endpoint, writeOperator } from './operator.js';
import { noRegistry } from './registry/absent.js';
import { openRegistry, type Registry } from './registry/registry.js';
import { documentFor } from './sealed/document.js';
import { forgetPresence, saveRenewal } from './store/devices.js';
import { openFleetDb } from './store/open.js';

export interface ServeOptions {
  readonly root: string;
  readonly listen: string;
  readonly httpsPort: number;
  readonly mqttPort: number;
  /** Hosts by which devices and operators reach it; the first is put into claim codes. */
  readonly names: readonly string[];
  readonly tenant: string;
  /** An outside broker, in place of the embedded one. */
  readonly broker?: BrokerAddress;
  /** Registries that devices ask with their certificates, in place of the embedded one: HOST[:PORT]. */
  readonly registries?: readonly string[];
  /** Shell command, run after the devices of the fleet changed. */
  readonly onDevices?: string;
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
  /** What devices are told. */
  readonly broker: BrokerAddress;
  readonly loop: Loop;
  close(): Promise<void>;
}

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
  const embedded =
    options.registries === undefined ? await ownRegistry(places, closers, log) : undefined;

  const told = tellBroker({ db, tenant, path: places.roster, command: options.onDevices, log });
  closers.push(() => told.close());
  told.changed();
  const broker =
    options.broker === undefined ? await ownBroker(options, authority, admitted) : undefined;
  if (broker !== undefined) closers.push(() => broker.close());
  const host = names[0] ?? hostname();
  const address = options.broker ?? { host, port: broker?.port ?? 0 };
  if (broker === undefined) {
    const probing = new AbortController();
    closers.push(async () => probing.abort());
    void logProbe(address, authority, log, probing.signal);
  }
  const link = new LinkHolder({
    address:
      broker === undefined ? address : { host: localHost(options.listen), port: broker.port },
    authority,
    tenant,
    log,
    subscribeQos: broker === undefined ? 0 : 1,
    delayMs: broker === undefined ? { min: 200, max: 10_000 } : { min: 50, max: 2000 },
  });
  const signing = { tenant, epoch, key: keys.assignment };
  const loop = new Loop({
    db,
    clock,
    log,
    signing,
    publish: (topic, text, how) => link.current().publish(topic, text, how),
    sealedOf: (device) => documentFor({ db, signing, key: keys.seal, now: clock.now }, device),
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
    address,
    told,
    link,
    loop,
    names,
    embedded,
  });
  closers.push(() => api.close());
  closers.push(keepCertificates({ authority, api, broker, told, link, loop, log }));

  const endpoint = endpointOf(options, names, api.port, address.port);
  await writeOperator(places.operator, authority, endpoint, clock.now());
  return { host, httpsPort: api.port, mqttPort: address.port, broker: address, loop };
}

type RegistryAnswer = Parameters<typeof startApi>[0]['registry'];

async function ownRegistry(
  places: ReturnType<typeof fleetPlaces>,
  closers: Array<() => Promise<void>>,
  log: Log,
): Promise<Registry> {
  const registry = await openRegistry({ dir: places.registry, log });
  closers.push(() => registry.close());
  return registry;
}

function answerOf(registry: Registry | undefined): RegistryAnswer {
  if (registry === undefined) return noRegistry;
  return (request, response, identity) => registry.handle(request, response, identity);
}

function ownBroker(
  options: ServeOptions,
  authority: Authority,
  admitted: Admitted,
): Promise<Broker> {
  return startBroker({
    listen: options.listen,
    port: options.mqttPort,
    tls: tlsOf(authority),
    tenant: options.tenant,
    isAdmitted: admitted.has,
    log: options.log,
  });
}

interface ApiParts {
  readonly options: ServeOptions;
  readonly db: Db;
  readonly clock: Clock;
  readonly keys: Keys;
  readonly authority: Authority;
  readonly admitted: Admitted;
  /** undefined = an outside one is used. */
  readonly broker: Broker | undefined;
  readonly address: BrokerAddress;
  readonly told: Told;
  readonly link: LinkHolder;
  readonly loop: Loop;
  readonly names: readonly string[];
  /** undefined = images are kept elsewhere. */
  readonly embedded: Registry | undefined;
}

async function openApi(parts: ApiParts): Promise<Api> {
  const { options, db, clock, keys, authority, admitted, broker, link, loop, names, told } = parts;
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
      mqtt: parts.address,
      api: { host, port },
      registries: options.registries ?? names.map((name) => hostPort(name, port)),
    },
    addDevice: async (device) => {
      const id = await enrolled(db, device, clock.now());
      admitted.add(id, device.keyHash);
      await loop.sealed(id);
      told.changed();
      return id;
    },
    isAdmitted: admitted.has,
    renewed: async (device, renewal) => {
      await saveRenewal(db, device, renewal);
      admitted.renewed(device, renewal);
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
      registry: { embedded: parts.embedded, sealKey: keys.seal, sealed: () => loop.sealed() },
      endpoint: () => ({ host, port, pin: authority.pin }),
      isLinked: () => link.current().connected,
      look: () => loop.look(),
      revoked: (device) => {
        admitted.remove(device);
        broker?.kick(device);
        told.changed();
        loop.remove(device);
      },
    },
    enrolment,
    isAdmitted: admitted.has,
    registry: answerOf(parts.embedded),
    ...(broker === undefined ? {} : { upgrade: broker.upgrade }),
    log: options.log,
  });
  port = api.port;
  return api;
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
  const own = [...hosts].map((name) => hostPort(name, port));
  const registries = [...(options.registries ?? own)];
  return { tenant, host, port, mqttPort, registries };
}
