// SPDX-License-Identifier: Apache-2.0
// `wherry-fleet sign`: prints signed documents as plain JSON, for `mosquitto_pub` and the like. It works on the
// fleet's host with the files alone, whether the server runs or not. What it signs it also writes into the
// database, so that one generation never has two bodies and the server, when it runs, says the same.

import { readFile } from 'node:fs/promises';
import { systemClock } from '../../adapters/clock.js';
import type { Command, Parsed } from '../../adapters/command.js';
import { type Db, openDb, type Tx } from '../../adapters/sqlite.js';
import { print } from '../../adapters/terminal.js';
import { signEnvelope } from '../../images/sign/envelope.js';
import { envelope as envelopeCheck, payloadTypes } from '../../protocol/envelope.js';
import { CodedError, messageOf } from '../../protocol/error.js';
import { parseJson } from '../../protocol/json.js';
import { type Digest, deviceId, hexOf } from '../../protocol/name.js';
import { desiredTopic, releaseTopic } from '../../protocol/topic.js';
import { assignRelease } from '../apply/assign.js';
import { type Signing, signAssignment } from '../apply/sign.js';
import { exclude } from '../apply/start.js';
import { epoch, fleetPlaces } from '../config.js';
import { type Keys, openKeys } from '../keys.js';
import { readOperator, readReleaseKey } from '../operator.js';
import { acceptRelease, readRelease } from '../release/accept.js';
import { digestOf } from '../release/release.js';
import { newestAssignment } from '../store/assignments.js';
import { needDevice } from '../store/devices.js';
import { addRelease, needRelease } from '../store/releases.js';
import { migrations } from '../store/schema.js';
import { variablesFor } from '../store/variables.js';
import { rootOf } from './words.js';

const signRelease: Command = {
  name: 'sign release',
  args: 'FILE',
  about: 'Sign a release document (JSON) with the release key; prints the envelope',
  run: async (parsed) => {
    const file = parsed.args[0] ?? '';
    const { operator } = fleetPlaces(rootOf(parsed));
    const { endpoint } = await readOperator(operator);
    const bytes = Buffer.from(JSON.stringify(readRelease(await readBytes(file))));
    const signed = signEnvelope(payloadTypes.release, bytes, await readReleaseKey(operator));
    sayTopic(releaseTopic(endpoint.tenant, hexOf(digestOf(bytes))));
    print(JSON.stringify(signed));
    return 0;
  },
};

const signDesired: Command = {
  name: 'sign assignment',
  about: 'Sign which release a device shall run; prints the envelope',
  options: {
    device: { type: 'string', value: 'DEVICE', about: 'Whose assignment it is' },
    release: {
      type: 'string',
      value: 'RELEASE',
      about: 'APP:VERSION, digest, @FILE of a signed release, or none to run nothing',
    },
    generation: {
      type: 'string',
      value: 'N',
      about: 'This generation, above all before, and not written into the database',
    },
  },
  run: async (parsed) => {
    const device = deviceOf(parsed);
    const named = parsed.text('release');
    if (named === undefined) throw new CodedError('USAGE', 'give --release');
    const generation = parsed.integer('generation', { min: 1, max: 2 ** 48 });
    const { signing, keys, db } = await openFiles(rootOf(parsed));
    try {
      const envelope = await db.transaction(async (tx) => {
        await needDevice(tx, device);
        const release = await releaseOf(tx, named, keys);
        return generation === undefined
          ? assign(tx, signing, device, release)
          : signOnly(tx, signing, { device, release, generation });
      });
      sayTopic(desiredTopic(signing.tenant, device));
      print(envelope);
      return 0;
    } finally {
      await db.close();
    }
  },
};

function deviceOf(parsed: Parsed): string {
  try {
    return deviceId(parsed.text('device'), '--device');
  } catch (error) {
    throw new CodedError('USAGE', messageOf(error), {}, { cause: error });
  }
}

/** @throws OPERATOR_ABSENT, CONFIG_BAD, STORE_CORRUPT */
async function openFiles(root: string): Promise<{ signing: Signing; keys: Keys; db: Db }> {
  const places = fleetPlaces(root);
  // Read first: where no fleet ever was, none is made.
  const { tenant } = (await readOperator(places.operator)).endpoint;
  const keys = await openKeys(places.keys, places.operator, tenant);
  const { db } = await openDb(places.database, migrations);
  return { signing: { tenant, epoch, key: keys.assignment }, keys, db };
}

/** The digest; a release from a file is checked and added. null = run nothing. */
async function releaseOf(tx: Tx, named: string, keys: Keys): Promise<Digest | null> {
  if (named === 'none') return null;
  if (!named.startsWith('@')) return (await needRelease(tx, named)).digest;
  const file = named.slice(1);
  const document = parseJson((await readBytes(file)).toString('utf8'), file);
  const accepted = acceptRelease(envelopeCheck(document, file), keys.trust.release);
  await addRelease(tx, accepted, systemClock.now());
  return accepted.digest;
}

async function assign(
  tx: Tx,
  signing: Signing,
  device: string,
  release: Digest | null,
): Promise<string> {
  const nowMs = systemClock.now();
  await exclude(tx, device, 'ROLLOUT_SUPERSEDED', nowMs);
  const stored = await assignRelease(tx, signing, { device, release, rollout: null }, nowMs);
  return stored.envelope;
}

async function signOnly(
  tx: Tx,
  signing: Signing,
  order: { device: string; release: Digest | null; generation: number },
): Promise<string> {
  const { device, release, generation } = order;
  const last = (await newestAssignment(tx, device))?.generation ?? 0;
  if (generation <= last) {
    throw new CodedError('USAGE', `generation ${generation} is not above ${last}, the last one`);
  }
  const stored = release === null ? undefined : await needRelease(tx, release);
  const named =
    stored === undefined
      ? null
      : { digest: stored.digest, app: stored.app, counter: stored.counter };
  const variables = stored === undefined ? {} : await variablesFor(tx, device);
  return signAssignment(
    signing,
    { device, generation, release: named, rollout: null, variables },
    systemClock.now(),
  );
}

/** For people: stdout is for the broker. */
function sayTopic(topic: string): void {
  process.stderr.write(`topic: ${topic}\n`);
}

async function readBytes(file: string): Promise<Buffer> {
  try {
    return await readFile(file === '-' ? '/dev/stdin' : file);
  } catch (error) {
    throw new CodedError(
      'USAGE',
      `${file} cannot be read: ${messageOf(error)}`,
      {},
      { cause: error },
    );
  }
}

export const signCommands: readonly Command[] = [signRelease, signDesired];
