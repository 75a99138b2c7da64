// SPDX-License-Identifier: Apache-2.0
// The containers that are made, read from their folders: the agent's own view, and that of a person's tool
// while the agent is away. Reads only.

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../../adapters/durable.js';
import type { Places } from '../../adapters/places.js';
import { folderOf, runDirOf } from './layout.js';
import { type ContainerRecord, readRecord } from './record.js';
import { statusOf } from './status.js';
import type { MadeContainer } from './types.js';

export interface Found {
  readonly record: ContainerRecord;
  readonly made: MadeContainer;
  /** Its keeper lives. */
  readonly kept: boolean;
}

/** Every container whose bundle is whole, by id; those whose record cannot be read are left out. */
export async function findContainers(places: Places): Promise<Found[]> {
  const found: Found[] = [];
  for (const id of (await idsIn(places)).sort()) {
    const record = await readRecord(folderOf(places, id)).catch(() => undefined);
    if (record !== undefined && record.id === id) found.push(await foundOf(places, record));
  }
  return found;
}

export async function foundOf(places: Places, record: ContainerRecord): Promise<Found> {
  const { status, kept } = await statusOf(runDirOf(places, record.id));
  return {
    record,
    kept,
    made: {
      id: record.id,
      spec: record.spec,
      release: record.release,
      image: record.image,
      workload: record.workload,
      address: record.address,
      ...(status === undefined ? {} : { status }),
    },
  };
}

async function idsIn(places: Places): Promise<string[]> {
  try {
    return await readdir(join(places.state, 'containers'));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}
