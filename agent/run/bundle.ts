// SPDX-License-Identifier: Apache-2.0
// Writes a container's bundle: folders, config.json, and last the record, whose presence says that all of it
// is there. A bundle that was cut short is made again from nothing, but for its volumes.

import { chmod, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { instantOf } from '../../adapters/clock.js';
import { makeFolder, writeDurable } from '../../adapters/durable.js';
import { nativeProgram, type Places } from '../../adapters/places.js';
import type { Mount } from '../../protocol/content.js';
import type { Store } from '../store/types.js';
import { makeBindSources } from './bind.js';
import { writeConfigs } from './configs.js';
import { askedDevices, hostDevices, readHost } from './host.js';
import { layoutOf } from './layout.js';
import { hostResolv, writeNames } from './names.js';
import { checkPorts } from './network.js';
import { healthOf, stopSignalOf } from './probe.js';
import { type ContainerRecord, readRecord, writeRecord } from './record.js';
import { networksOf } from './shared.js';
import { specOf } from './spec.js';
import type { VolumeMount } from './spec-mounts.js';
import type { ContainerSpec } from './types.js';
import { refuseUnmet } from './unmet.js';
import { lookUpUser } from './user.js';
import { anonymousName, volumeData } from './volumes.js';

export interface BundleFacts {
  readonly places: Places;
  readonly store: Pick<Store, 'folders'>;
  /** Host folders that binds are allowed from. */
  readonly bindRoots: readonly string[];
  readonly address: string;
  readonly now: number;
}

/** Gives the record; the same spec again changes nothing. @throws RUN_*, NO_SPACE */
export async function makeBundle(
  spec: ContainerSpec,
  facts: BundleFacts,
): Promise<ContainerRecord> {
  const folder = await facts.store.folders.container(spec.id);
  const layout = layoutOf(folder);
  const there = await readRecord(folder).catch(() => undefined);
  if (there !== undefined && there.spec === spec.spec) return there;
  refuseUnmet(spec);
  checkPorts(spec.workload.ports ?? []);
  const layers = [...spec.layers].reverse();
  const { user: wanted, groupAdd } = spec.workload;
  const user = await lookUpUser(layers, wanted ?? spec.config.user, groupAdd);
  const host = await readHost();
  const asked = await askedDevices(spec.workload.devices ?? []);
  const address = networksOf(spec.workload).length === 0 ? null : facts.address;
  await rm(layout.record, { force: true });
  for (const part of [layout.upper, layout.work, layout.bundle, layout.configs]) {
    await rm(part, { recursive: true, force: true });
    await makeFolder(part);
  }
  await chmod(layout.upper, 0o755); // it is the container's `/`: whatever our umask, everybody enters
  await mkdir(join(layout.bundle, 'rootfs'), { recursive: true });
  await makeFolder(layout.logs);
  await makeBindSources(spec.workload.mounts ?? [], facts.bindRoots);
  const config = specOf({
    id: spec.id,
    workload: spec.workload,
    config: spec.config,
    layers,
    user,
    volumes: await volumesOf(spec, layers, facts.store),
    files: await writeConfigs(layout, spec),
    init: spec.workload.init === true ? nativeProgram('wherry-init') : undefined,
    address,
    bindRoots: facts.bindRoots,
    layout,
    places: facts.places,
    host,
    devices: spec.workload.privileged === true ? await hostDevices() : [],
    asked,
  });
  await writeNames(layout, {
    hosts: '',
    hostname: `${config.hostname}\n`,
    resolv: await hostResolv(),
  });
  await writeDurable(layout.config, `${JSON.stringify(config)}\n`, { mode: 0o600 });
  const record: ContainerRecord = {
    id: spec.id,
    spec: spec.spec,
    release: spec.release,
    image: spec.image,
    workload: spec.workload,
    address,
    stopSignal: stopSignalOf(spec.workload.stopSignal ?? spec.config.stopSignal),
    health: healthOf(spec.workload, spec.config),
    createdAt: instantOf(facts.now),
  };
  await writeRecord(folder, record);
  return record;
}

/** The workload's volumes, and one of its own for each VOLUME of the image that nothing else is mounted on. */
async function volumesOf(
  spec: ContainerSpec,
  layers: readonly string[],
  store: Pick<Store, 'folders'>,
): Promise<VolumeMount[]> {
  const mounts: readonly Mount[] = spec.workload.mounts ?? [];
  const taken = new Set(mounts.map((mount) => mount.target));
  const named = mounts
    .filter((mount) => mount.type === 'volume')
    .map((mount) => ({
      name: mount.source ?? anonymousName(spec.workload.name, mount.target),
      target: mount.target,
      readOnly: mount.readOnly === true,
      noCopy: mount.noCopy === true,
    }));
  const anonymous = spec.config.volumes
    .map((path) => path.replace(/(?<=.)\/+$/, ''))
    .filter((path) => path.startsWith('/') && path !== '/' && !taken.has(path))
    .map((path) => ({
      name: anonymousName(spec.workload.name, path),
      target: path,
      readOnly: false,
      noCopy: false,
    }));
  const volumes: VolumeMount[] = [];
  for (const { name, target, readOnly, noCopy } of [...named, ...anonymous]) {
    const source = await volumeData(store, name, target, layers, noCopy);
    volumes.push({ source, target, readOnly });
  }
  return volumes;
}
