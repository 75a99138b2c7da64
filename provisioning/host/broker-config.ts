// SPDX-License-Identifier: Apache-2.0
// `wherry-provision broker-config`: everything that an outside broker needs to serve a fleet, in one folder:
// its certificate by the fleet's authority, its configuration, and who may do what. It may be run again at any
// time, and must be after devices came or were revoked, where the kind of broker needs their names.

import { join } from 'node:path';
import { makeFolder, readIfThere, writeDurable } from '../../adapters/durable.js';
import { run } from '../../adapters/exec.js';
import { placesOf } from '../../adapters/places.js';
import { CodedError, messageOf } from '../../protocol/error.js';
import { parseJson } from '../../protocol/json.js';
import { type Roster, roster, rosterBytesMax } from '../../protocol/roster.js';
import { certifyServer } from '../authority/authority.js';
import { mosquittoFiles } from './broker-mosquitto.js';
import { natsFiles } from './broker-nats.js';
import { rabbitmqFiles } from './broker-rabbitmq.js';

export interface BrokerFacts {
  /** Absolute path of the folder that the files lie in. */
  readonly folder: string;
  readonly listen: string;
  readonly port: number;
  /** undefined = the broker's usual one. */
  readonly user: string | undefined;
  readonly roster: Roster;
}

export interface BrokerFiles {
  /** Name → text. */
  readonly files: Readonly<Record<string, string>>;
  /** Shell commands for people. */
  readonly start: string;
  readonly reload: string;
}

export type BrokerKind = 'mosquitto' | 'nats' | 'rabbitmq';

const makers: Readonly<Record<BrokerKind, (facts: BrokerFacts) => BrokerFiles>> = {
  mosquitto: mosquittoFiles,
  nats: natsFiles,
  rabbitmq: rabbitmqFiles,
};

export interface BrokerOrder {
  readonly kind: BrokerKind;
  /** The fleet's root. */
  readonly root: string;
  readonly folder: string;
  readonly listen: string;
  readonly port: number;
  /** Hosts by which devices and the fleet reach the broker. */
  readonly names: readonly string[];
  /** Account that shall own the files. */
  readonly user?: string;
}

/** @throws AUTHORITY_BAD, CONFIG_BAD, NO_SPACE */
export async function writeBrokerConfig(
  order: BrokerOrder,
): Promise<Pick<BrokerFiles, 'start' | 'reload'>> {
  const { state } = placesOf(order.root, 'wherry-fleet');
  const { folder, listen, port, user } = order;
  const names = [...new Set([...order.names, 'localhost', '127.0.0.1'])];
  await makeFolder(folder, 0o755);
  const server = { path: join(folder, 'server.pem'), name: 'broker', names };
  const { tenant, certificatePem } = await certifyServer(join(state, 'authority'), server);
  await writeDurable(join(folder, 'ca.crt'), certificatePem);
  const who = await readRoster(join(state, 'roster.json'), tenant);
  const { files, start, reload } = makers[order.kind]({ folder, listen, port, user, roster: who });
  for (const [name, text] of Object.entries(files)) await writeDurable(join(folder, name), text);
  if (user !== undefined) await own(folder, user);
  return { start, reload };
}

async function own(folder: string, user: string): Promise<void> {
  const { code, stderr } = await run('chown', ['-R', user, folder], { timeoutMs: 10_000 });
  if (code === 0) return;
  throw new CodedError('USAGE', `the files cannot be given to '${user}': ${stderr.trim()}`);
}

async function readRoster(path: string, tenant: string): Promise<Roster> {
  const bytes = await readIfThere(path);
  if (bytes === undefined) return { tenant, devices: [], revoked: [] };
  try {
    const document = parseJson(bytes.toString('utf8'), path, { bytesMax: rosterBytesMax });
    return roster(document, 'roster');
  } catch (error) {
    throw new CodedError('CONFIG_BAD', `${path}: ${messageOf(error)}`, { path }, { cause: error });
  }
}
