// SPDX-License-Identifier: Apache-2.0
// The room's door: makes, starts, stops and removes containers. What must not interleave (addresses, firewall
// rules, names) waits its turn in one queue; starting and stopping different containers run side by side.

import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../adapters/clock.js';
import { makeFolder } from '../../adapters/durable.js';
import { errorFacts, type Log } from '../../adapters/log.js';
import type { Places } from '../../adapters/places.js';
import { CodedError } from '../../protocol/error.js';
import type { Store } from '../store/types.js';
import { chooseAddress } from './address.js';
import { makeBundle } from './bundle.js';
import { startKeeper, stopKeeper } from './keeper.js';
import { checkRuntimeFolder, folderOf, keepersOf, layoutOf, runDirOf } from './layout.js';
import { readLogs } from './logs.js';
import { type Found, findContainers } from './made.js';
import { deviceHosts, hostResolv, type Named, peersOf, textsOf, writeNames } from './names.js';
import { allowForwarding, applyRules, clashOf, type Published, removeRules } from './network.js';
import { readRecord } from './record.js';
import { Meter } from './stats.js';
import { isFinal, isKept, readStatus, statusOf } from './status.js';
import type { ContainerSpec, MadeContainer, Run } from './types.js';
import { watchKeepers } from './watch.js';

/**
 * `bindRoots`: the host folders that workloads may bind from, by default none.
 * @throws CONFIG_BAD if the root's path is too long for sockets
 */
export async function openRun(parts: {
  places: Places;
  store: Store;
  log: Log;
  clock: Clock;
  bindRoots?: readonly string[];
}): Promise<Run> {
  const { places, store, log, clock, bindRoots = [] } = parts;
  checkRuntimeFolder(places);
  await makeFolder(keepersOf(places), 0o755);
  await sweep(parts);
  const meter = new Meter(clock, places.cgroupParent);
  const inTurn = turnstile();
  /** Being started: they count as running for ports and names. */
  const starting = new Set<string>();
  const list = async (): Promise<MadeContainer[]> =>
    (await findContainers(places)).map((found) => found.made);
  /** A container that is over for good holds no port; one that failed may be tried again any moment. */
  const isRunning = ({ record, kept, made }: Found): boolean =>
    starting.has(record.id) || (kept && made.status?.state !== 'exited');

  const create = async (spec: ContainerSpec): Promise<void> => {
    await inTurn(async () => {
      const found = await findContainers(places);
      const own = found.find(({ record }) => record.id === spec.id);
      if (own?.record.spec !== spec.spec && (await isKept(runDirOf(places, spec.id)))) {
        await stopKeeper(places, spec.id, 0, clock); // no bundle is made anew under a container
      }
      const others = found.filter(({ record }) => record.id !== spec.id);
      const taken = new Set(others.map(({ record }) => record.address ?? ''));
      const kept = own?.record.address ?? null;
      const address =
        kept !== null && !taken.has(kept) ? kept : chooseAddress(places.subnet, spec.id, taken);
      const record = await makeBundle(spec, {
        ...{ places, store, address, bindRoots },
        now: clock.now(),
      });
      log.info({ container: spec.id, address: record.address }, 'container made');
    });
  };

  const start = async (id: string): Promise<void> => {
    const record = await recordOf(places, id);
    const { kept, status } = await statusOf(runDirOf(places, id));
    if (kept && (status === undefined || !isFinal(status))) return;
    if (kept) await stopKeeper(places, id, 0, clock); // it holds no more than its last word
    starting.add(id);
    try {
      await inTurn(async () => {
        const found = await findContainers(places);
        checkClash(id, found.filter(isRunning));
        await writeAllNames({ places, log, isRunning, mine: id }, found);
        await applyRules(places, published(found.filter(isRunning)));
      });
      await startKeeper(places, record, clock);
      await inTurn(() => allowForwarding(places));
      log.info({ container: id }, 'container started');
    } catch (error) {
      starting.delete(id);
      await inTurn(() => settle({ places, log, isRunning })).catch((later: unknown) => {
        log.warn(errorFacts(later), 'rules not set back'); // the first error is the one to tell
      });
      throw error;
    } finally {
      starting.delete(id);
    }
  };

  const stop = async (id: string, graceMs: number): Promise<void> => {
    await stopKeeper(places, id, graceMs, clock);
    await inTurn(() => settle({ places, log, isRunning }));
    log.info({ container: id }, 'container stopped');
  };

  const remove = async (id: string): Promise<void> => {
    await stopKeeper(places, id, 0, clock);
    await inTurn(async () => {
      // The record first: a removal that is cut short leaves no container, only a folder to take away.
      await rm(layoutOf(folderOf(places, id)).record, { force: true });
      await store.folders.removeContainer(id);
      await settle({ places, log, isRunning });
    });
    log.info({ container: id }, 'container removed');
  };

  return {
    create,
    start,
    stop,
    remove,
    list,
    stats: async () => meter.read(await list()),
    logs: (id, query) => readLogs(layoutOf(folderOf(places, id)).logs, query),
    watch: (changed) =>
      watchKeepers(keepersOf(places), (name) => idOfRunDir(places, name), changed),
  };
}

/** At the start: takes away bundles that were never finished, and sets the rules of what runs once more. */
async function sweep(parts: {
  places: Places;
  store: Store;
  log: Log;
  clock: Clock;
}): Promise<void> {
  const { places, store, log, clock } = parts;
  const found = await findContainers(places);
  const whole = new Set(found.map(({ record }) => record.id));
  for (const id of await store.folders.containers()) {
    if (whole.has(id)) continue;
    log.warn({ container: id, code: 'RUN_RECORD' }, 'container without a record is removed');
    if (existsSync(runDirOf(places, id))) await stopKeeper(places, id, 0, clock);
    await store.folders.removeContainer(id);
  }
  const running = found.filter((one) => one.kept);
  if (running.length === 0) return;
  try {
    await applyRules(places, published(running));
    await allowForwarding(places);
  } catch (error) {
    log.warn(errorFacts(error), 'rules not set again'); // those from before still stand
  }
}

async function recordOf(
  places: Places,
  id: string,
): Promise<NonNullable<Awaited<ReturnType<typeof readRecord>>>> {
  const record = await readRecord(folderOf(places, id));
  if (record !== undefined) return record;
  throw new CodedError('RUN_ABSENT', `there is no container ${id}`, { container: id });
}

function published(running: readonly Found[]): Published[] {
  return running.flatMap(({ record }) =>
    record.address === null
      ? []
      : [{ id: record.id, address: record.address, ports: record.workload.ports ?? [] }],
  );
}

/** @throws RUN_PORT_TAKEN */
function checkClash(id: string, running: readonly Found[]): void {
  const all = published(running);
  const wanted = all.find((one) => one.id === id);
  const clash = wanted === undefined ? undefined : clashOf(wanted, all);
  if (clash === undefined) return;
  const { protocol, published: port } = clash.port;
  throw new CodedError('RUN_PORT_TAKEN', `port ${port}/${protocol} is published by ${clash.id}`, {
    container: id,
    other: clash.id,
    port,
  });
}

interface Naming {
  readonly places: Places;
  readonly log: Log;
  readonly isRunning: (found: Found) => boolean;
  /** The container that is being started. */
  readonly mine?: string;
}

/** Rules and names as they follow from what runs now. */
async function settle(naming: Naming): Promise<void> {
  const { places, isRunning } = naming;
  const found = await findContainers(places);
  await writeAllNames(naming, found);
  if (found.length === 0) await removeRules(places);
  else await applyRules(places, published(found.filter(isRunning)));
}

/** What a container does to its own files (a lease on one keeps us out) is no reason to fail another's start. */
async function writeAllNames(
  { places, log, isRunning, mine }: Naming,
  found: readonly Found[],
): Promise<void> {
  const all = found.map(
    (one): Named => ({
      id: one.record.id,
      name: one.record.workload.name,
      release: one.record.release,
      address: one.record.address,
      running: isRunning(one),
      createdAt: one.record.createdAt,
      aliases: Object.values(one.record.workload.networks ?? {}).flatMap(
        ({ aliases = [] }) => aliases,
      ),
    }),
  );
  const device = {
    gateway: `${places.subnet}.1`,
    hosts: await deviceHosts(),
    resolv: await hostResolv(),
  };
  for (const [at, self] of all.entries()) {
    const workload = found[at]?.record.workload;
    if (!self.running || workload === undefined) continue;
    const own = { address: self.address, peers: peersOf(self, all) };
    try {
      await writeNames(layoutOf(folderOf(places, self.id)), textsOf(workload, own, device));
    } catch (error) {
      if (self.id === mine) throw error;
      log.warn({ container: self.id, ...errorFacts(error) }, 'names not written');
    }
  }
}

/** Runs one job after another; a failed one does not stop the next. */
function turnstile(): <T>(job: () => Promise<T>) => Promise<T> {
  let tail: Promise<unknown> = Promise.resolve();
  return (job) => {
    const done = tail.then(job);
    tail = done.catch(() => undefined);
    return done;
  };
}

async function idOfRunDir(places: Places, name: string): Promise<string | undefined> {
  const status = await readStatus(join(keepersOf(places), name));
  if (status !== undefined) return status.id;
  const found = await findContainers(places);
  return found.find(({ record }) => runDirOf(places, record.id).endsWith(`/${name}`))?.record.id;
}
