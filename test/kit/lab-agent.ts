// SPDX-License-Identifier: Apache-2.0
// A whole Wherry around one emulated device: the fleet server in a network namespace of the host, QEMU in the same
// one, and the device bundle on the device's data disk, from where /data/boot starts the agent at every power-on.

import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { projectFolder } from '../../adapters/places.js';
import { type Built, buildDevice } from '../lab/device/build.js';
import { type Device, openDevice } from '../lab/device/device.js';
import { makeDisk } from '../lab/device/disk.js';
import { until } from './world/program.js';
import { composeFile, makeBase, pushWeb } from './world/web.js';
import { openWorld, type World } from './world/world.js';

export interface Board {
  readonly world: World;
  /** The device as it runs now: another one after each boot. */
  device(): Device;
  /** Power on; `shape` as in DeviceOptions. */
  boot(shape?: string): Promise<Device>;
  /** A claim, the enrolment, and the agent's first start. */
  enrol(): Promise<void>;
  release(version: string): Promise<void>;
  /** Rolls out and waits; throws with the rollout's words where it fails. */
  rollout(version: string): Promise<void>;
  /** What the web workload says to somebody on the device itself. */
  answer(): Promise<string | undefined>;
  answers(text: string): Promise<void>;
  wherry(args: string): Promise<string>;
}

const dataMb = 700;
const waitMs = 120_000;

const start = `#!/bin/sh
# Starts the agent, and starts it again when it ends, as an init system would.
while :; do
  /data/wherry/bin/wherryd >>/data/wherryd.log 2>&1
  echo "ended with $?" >>/data/wherryd.log
  sleep 2
done
`;

const boot = `#!/bin/sh
# Run by the lab's init at every boot: the state is on the data disk, all else is as new.
mkdir -p /data/state /data/etc /var/lib/wherry /etc/wherry
mount --bind /data/state /var/lib/wherry
mount --bind /data/etc /etc/wherry
ln -sfn /data/wherry /usr/lib/wherry
ln -sf /data/wherry/bin/* /usr/bin/
[ -e /etc/wherry/identity/client.cert ] && exec /data/start
`;

/** The fleet serves, the device is up and not yet enrolled. All of it goes at the test's end. */
export async function openBoard(
  t: ExecutionContext,
  label: string,
  options: { memoryMb: number; zramMb?: number },
): Promise<Board> {
  const bundle = join(projectFolder(), 'build/aarch64/bundle');
  if (!existsSync(bundle)) throw new Error(`${bundle} is not there: make bundle ARCH=arm64`);
  const world = await openWorld(label);
  t.teardown(() => world.dispose());
  const built = await buildDevice('arm64', t.log);
  const image = join(world.root, 'data.img');
  await fillDisk(world, bundle, image);
  await world.fleet.start();
  let device: Device | undefined;
  t.teardown(async () => {
    await device?.cut();
  });
  const running = (): Device => {
    if (device === undefined) throw new Error('the device is off');
    return device;
  };
  return {
    ...rollouts(world, built),
    world,
    device: running,
    boot: async (shape) => {
      device = await openDevice({
        ...options,
        cpus: 2,
        name: 'board',
        netns: world.site.netns,
        data: { image },
        ...(shape === undefined ? {} : { shape }),
      });
      return device;
    },
    enrol: async () => {
      const [claim] = await world.fleet.json<Array<{ code: string }>>(['claim', 'create']);
      await running().must(`wherry-provision enrol '${claim?.code ?? ''}' --name board`);
      await running().must('/data/start >/dev/null 2>&1 &');
      await untilOnline(world);
    },
    answer: () => answerOf(running()),
    answers: (text) =>
      until(`the device answers ${text}`, waitMs, async () =>
        (await answerOf(running())) === text ? true : undefined,
      ).then(() => undefined),
    wherry: (args) => running().must(`wherry ${args}`),
  };
}

async function fillDisk(world: World, bundle: string, image: string): Promise<void> {
  const folder = join(world.root, 'data');
  mkdirSync(folder);
  await cp(bundle, join(folder, 'wherry'), { recursive: true });
  writeFileSync(join(folder, 'boot'), boot, { mode: 0o755 });
  writeFileSync(join(folder, 'start'), start, { mode: 0o755 });
  await makeDisk(image, dataMb, folder);
}

export async function untilOnline(world: World): Promise<void> {
  await until('the device is online', waitMs, async () =>
    (await world.fleet.cli(['device', 'ls'])).stdout.includes('online') ? true : undefined,
  );
}

function rollouts(world: World, built: Built): Pick<Board, 'release' | 'rollout'> {
  let base: string | undefined;
  return {
    release: async (version) => {
      base ??= makeBase(world, built.busybox);
      const reference = await pushWeb(world, base, { version, platform: 'linux/arm64' });
      // Emulated, a probe takes a second or two.
      const slow = { interval: '3s', timeout: '10s', bake: '3s', deadline: '150s' };
      const file = composeFile(world, reference, slow);
      const words = ['release', 'create', '-f', file, '--app', 'web', '--version', version];
      await world.fleet.cli(words);
    },
    rollout: async (version) => {
      const words = ['--canary', '1', '--bake', '0s', '--deadline', '4m', '--wait'];
      await world.fleet.cli(['rollout', 'start', `web:${version}`, ...words], {
        timeoutMs: 300_000,
      });
    },
  };
}

async function answerOf(device: Device): Promise<string | undefined> {
  const { code, stdout } = await device.run('timeout 5 wget -q -O - http://127.0.0.1:8080/');
  return code === 0 ? stdout.trim() : undefined;
}
