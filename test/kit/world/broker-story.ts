// SPDX-License-Identifier: Apache-2.0
// The main job over an outside broker, the same for each kind: what must come out does not depend on whose
// broker it is.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { placesOf } from '../../../adapters/places.js';
import { type Digest, hexOf } from '../../../protocol/name.js';
import { desiredTopic, releaseTopic, upTopic } from '../../../protocol/topic.js';
import { type BrokerKind, beginWith, type OutsideBroker } from './broker.js';
import { mosquittoTool, type Who } from './mosquitto.js';
import { until } from './program.js';
import { openStage, type Stage } from './site.js';
import type { Device, World } from './world.js';

/** A stage whose fleet has an outside broker. */
export async function openWith(
  t: ExecutionContext,
  label: string,
  kind: BrokerKind,
  names: readonly string[] = ['a', 'b'],
): Promise<{ stage: Stage; broker: OutsideBroker; devices: readonly [Device, Device] }> {
  let broker: OutsideBroker | undefined;
  t.teardown(() => broker?.wipe());
  const begin = async (world: World): Promise<void> => {
    await beginWith(world, kind, (made) => {
      broker = made;
    });
  };
  const stage = await openStage(t, label, names, begin).catch((error: unknown) => {
    t.log(broker?.log().slice(-4000));
    throw error;
  });
  if (broker === undefined) throw new Error('there is no broker');
  return { stage, broker, devices: stage.devices as unknown as [Device, Device] };
}

/** Two releases reach both devices; one device is not let near the other's topics; a revoked one is kept out. */
export async function mainJob(t: ExecutionContext, kind: BrokerKind): Promise<void> {
  const { stage, devices } = await openWith(t, kind.slice(0, 4), kind);
  for (const version of ['v1', 'v2']) {
    await stage.release({ version });
    const result = await stage.rollout(version);
    t.is(result.code, 0, result.text + stage.world.fleet.output().slice(-3000));
    for (const device of devices) t.is(await stage.answer(device), `hello from ${version}`);
  }
  t.regex(stage.world.fleet.output(), /"retained":true,"payloadBytes":262144,"msg":"broker: what/);
  await keptApart(t, stage.world, devices);
}

/** b reads nothing of a's, and nobody hears what b says in a's name; what is its own comes. */
async function keptApart(
  t: ExecutionContext,
  world: World,
  [a, b]: readonly [Device, Device],
): Promise<void> {
  await b.stop();
  const asB: Who = { netns: b.netns, root: b.root, kind: 'device', name: 'main--b' };
  const operator: Who = {
    netns: world.site.netns,
    root: world.fleet.root,
    kind: 'operator',
    name: 'operator.admin',
  };
  const heard = async (who: Who, topic: string): Promise<string> =>
    (await mosquittoTool(who, 'sub', ['-t', topic, '-W', '2'])).stdout;
  t.regex(await heard(asB, desiredTopic('main', 'b')), /WZ|payloadType/, 'its own');
  t.is(await heard(asB, desiredTopic('main', 'a')), '', 'the desired of another device');
  t.is(await heard(asB, upTopic('main', 'a', 'presence')), '', 'the presence of another device');
  const topic = upTopic('main', a.name, 'event');
  const listening = heard(operator, topic);
  await new Promise((resolve) => setTimeout(resolve, 700));
  await mosquittoTool(asB, 'pub', ['-t', topic, '-q', '1', '-m', '{"forged":true}']);
  t.is(await listening, '', 'a word in the name of another device');

  const [newest] = await world.fleet.json<Array<{ digest: Digest }>>(['release', 'ls']);
  if (newest === undefined) throw new Error('there is no release');
  const release = releaseTopic('main', hexOf(newest.digest));
  t.not(await heard(asB, release), '', 'a release');
  await world.fleet.cli(['device', 'revoke', b.name]);
  await until('the revoked device hears nothing any more', 60_000, async () =>
    (await heard(asB, release)) === '' ? true : undefined,
  );
}

/** Starts the agent anew with this in its agent.json. */
export async function configure(device: Device, config: object): Promise<void> {
  await device.stop();
  writeFileSync(join(placesOf(device.root).config, 'agent.json'), JSON.stringify(config));
  await device.start();
}

export async function wipedInMidRollout(t: ExecutionContext, kind: BrokerKind): Promise<void> {
  const { stage, broker, devices } = await openWith(t, `${kind.slice(0, 3)}w`, kind);
  // Some brokers take half a minute to start; by default a device would wait longer and longer meanwhile.
  for (const device of devices) await configure(device, { linkDelayMs: { min: 500, max: 5000 } });
  await stage.release({ version: 'v1' });
  t.is((await stage.rollout('v1')).code, 0);
  await stage.release({ version: 'v2' }, { bake: '3s' });
  const args = ['--canary', '1', '--wave', '100%', '--bake', '0s', '--deadline', '3m'];
  await stage.world.fleet.cli(['rollout', 'start', 'web:v2', ...args]);
  await until('the canary has begun', 30_000, async () => {
    const answers = await Promise.all(devices.map(stage.answer));
    return answers.includes('hello from v2') ? true : undefined;
  });
  await broker.wipe();
  await new Promise((resolve) => setTimeout(resolve, 1000));
  await broker.start();
  for (const device of devices) await stage.answers(device, 'hello from v2', 90_000);
  const [rollout] = await until('the rollout has ended', 60_000, async () => {
    const all = await stage.world.fleet.json<Array<{ release: string; state: string }>>([
      'rollout',
      'ls',
    ]);
    return all.some(({ state }) => state === 'running') ? undefined : all;
  });
  t.is(rollout?.state, 'succeeded');
}
