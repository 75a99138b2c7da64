// SPDX-License-Identifier: Apache-2.0
// What most whole-device tests begin with: a fleet that serves, devices that are enrolled and online, and
// the web server's versions.

import type { ExecutionContext } from 'ava';
import type { LocalStatus } from '../../../protocol/local.js';
import { until } from './program.js';
import { type ComposeOptions, composeFile, makeBase, pushWeb, type WebImage } from './web.js';
import { type Device, httpGet, openWorld, type World } from './world.js';

export interface Stage {
  readonly world: World;
  readonly devices: readonly Device[];
  /** Builds, pushes and releases a version. */
  release(image: WebImage, options?: ComposeOptions): Promise<void>;
  /** Starts a rollout of web:VERSION and waits for its end; gives exit code and words. */
  rollout(version: string, args?: readonly string[]): Promise<{ code: number; text: string }>;
  answer(device: Device): Promise<string | undefined>;
  answers(device: Device, text: string, timeoutMs?: number): Promise<void>;
  status(device: Device): Promise<LocalStatus>;
}

/** Opens a world that the test's end takes down. `begin` starts the fleet in another way than alone. */
export async function openStage(
  t: ExecutionContext,
  label: string,
  names: readonly string[],
  begin: (world: World) => Promise<void> = (world) => world.fleet.start(),
): Promise<Stage> {
  const world = await openWorld(label);
  t.teardown(() => world.dispose());
  await begin(world);
  const base = makeBase(world);
  const devices: Device[] = [];
  for (const name of names) devices.push(await join(world, name));
  // A broker that learns of a device late refuses it first; the device's pauses then grow.
  await until('all devices online', 240_000, async () =>
    ((await world.fleet.cli(['device', 'ls'])).stdout.match(/online/g)?.length ?? 0) >= names.length
      ? true
      : undefined,
  );
  const answer = async (device: Device): Promise<string | undefined> =>
    (await httpGet(world.site.netns, `http://${device.address}:8080/`))?.trim();
  return {
    world,
    devices,
    release: async (image, options) => {
      const reference = await pushWeb(world, base, image);
      const file = composeFile(world, reference, options);
      await world.fleet.cli([
        'release',
        'create',
        '-f',
        file,
        '--app',
        'web',
        '--version',
        image.version,
      ]);
    },
    rollout: async (
      version,
      args = ['--canary', '1', '--wave', '100%', '--bake', '0s', '--deadline', '60s'],
    ) => {
      const output = await world.fleet.cli(
        ['rollout', 'start', `web:${version}`, ...args, '--wait'],
        {
          mayFail: true,
          timeoutMs: 120_000,
        },
      );
      return { code: output.code, text: output.stdout + output.stderr };
    },
    answer,
    answers: async (device, text, timeoutMs = 30_000) => {
      await until(`${device.name} answers ${text}`, timeoutMs, async () =>
        (await answer(device)) === text ? true : undefined,
      );
    },
    status: (device) => device.json<LocalStatus>(['status']),
  };
}

async function join(world: World, name: string): Promise<Device> {
  const [claim] = await world.fleet.json<Array<{ code: string }>>(['claim', 'create']);
  const device = await world.device(name);
  await device.enrol(claim?.code ?? '');
  await device.start();
  return device;
}
