// SPDX-License-Identifier: Apache-2.0
// The story of `make demo`: everything that Wherry is for, with the real programs, in namespaces of its own.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bytesText } from '../../adapters/terminal.js';
import type { LocalContainer, LocalStats, LocalStatus } from '../../protocol/local.js';
import { until } from '../kit/world/program.js';
import { composeFile, makeBase, pushWeb } from '../kit/world/web.js';
import { type Device, httpGet, type World } from '../kit/world/world.js';
import { chapter, check, command, say } from './tell.js';

interface EventRow {
  readonly device: string;
  readonly type: string;
  readonly code?: string;
  readonly counts?: Readonly<Record<string, number>>;
}

export async function story(world: World): Promise<void> {
  chapter(
    'The fleet server comes up: MQTT broker, OCI registry, SQLite and HTTP API, all over mutual TLS',
  );
  command('wherry-fleet serve');
  await world.fleet.start();
  say(/wherry-fleet ready.*/.exec(world.fleet.output())?.[0] ?? '');

  const compose = await images(world);
  const devices = await enrol(world);
  await first(world, devices, compose('v1'));
  await second(world, devices, compose('v2'));
  await sick(world, devices, compose('v3'));
  await alone(world, devices);
}

async function images(world: World): Promise<(version: string) => string> {
  chapter('Three images of a small web server, made from busybox and pushed: v1, v2 and a sick v3');
  const base = makeBase(world);
  const files = new Map<string, string>();
  for (const version of ['v1', 'v2', 'v3']) {
    command(
      `wherry-image from-dir base ${version} -t web:${version} && wherry-image push web:${version}`,
    );
    const reference = await pushWeb(world, base, { version, sick: version === 'v3' });
    files.set(version, composeFile(world, reference));
  }
  return (version) => files.get(version) ?? '';
}

async function enrol(world: World): Promise<Device[]> {
  chapter(
    'Two devices enrol: each makes its own key, and gets a certificate for a one-time claim code',
  );
  command('wherry-fleet claim create --count 2');
  const claims = await world.fleet.json<Array<{ code: string }>>([
    'claim',
    'create',
    '--count',
    '2',
  ]);
  const devices: Device[] = [];
  for (const [at, name] of ['dev-a', 'dev-b'].entries()) {
    const device = await world.device(name);
    command(`wherry-provision enrol ${(claims[at]?.code ?? '').slice(0, 24)}…   # on ${name}`);
    await device.enrol(claims[at]?.code ?? '');
    await device.start();
    devices.push(device);
  }
  const again = await world.device('dev-c');
  const refusal = await again.enrol(claims[0]?.code ?? '').then(
    () => '',
    (error: Error) => error.message,
  );
  check(refusal.includes('CLAIM_USED'), 'a claim that was used is refused (CLAIM_USED)');
  command('wherry-fleet device ls');
  const online = () => world.fleet.cli(['device', 'ls']);
  await until('both devices online', 15_000, async () =>
    ((await online()).stdout.match(/online/g)?.length ?? 0) >= 2 ? true : undefined,
  );
  say((await online()).stdout);
  return devices;
}

async function release(world: World, version: string, file: string): Promise<void> {
  command(`wherry-fleet release create -f compose.yaml --version ${version}`);
  await world.fleet.cli(['release', 'create', '-f', file, '--app', 'web', '--version', version]);
}

async function rollout(world: World, version: string, mayFail = false): Promise<string> {
  command(`wherry-fleet rollout start web:${version} --canary 1 --wave 100% --bake 1s --wait`);
  const output = await world.fleet.cli(
    [
      'rollout',
      'start',
      `web:${version}`,
      '--canary',
      '1',
      '--wave',
      '100%',
      '--bake',
      '1s',
      '--deadline',
      '60s',
      '--wait',
    ],
    { mayFail, timeoutMs: 90_000 },
  );
  say(output.stdout + output.stderr);
  return `${output.code} ${output.stdout}${output.stderr}`;
}

async function answers(world: World, device: Device): Promise<string | undefined> {
  return (await httpGet(world.site.netns, `http://${device.address}:8080/`))?.trim();
}

async function first(world: World, devices: readonly Device[], file: string): Promise<void> {
  chapter('v1 is rolled out, the canary first');
  await release(world, 'v1', file);
  await rollout(world, 'v1');
  for (const device of devices) {
    check(
      (await answers(world, device)) === 'hello from v1',
      `${device.name} answers "hello from v1" on its port 8080`,
    );
  }
  const device = devices[0] as Device;
  for (const verb of ['ps', 'stats']) {
    command(`wherry ${verb}   # on ${device.name}`);
    say((await device.cli([verb])).stdout);
  }
  command('wherry logs web');
  say((await device.cli(['logs', 'web'])).stdout.split('\n').slice(0, 3).join('\n'));
  await limits(device);
}

/** The limits as the kernel has them, not as we say it. */
async function limits(device: Device): Promise<void> {
  const [stats] = await device.json<LocalStats[]>(['stats']);
  const [container] = await device.json<LocalContainer[]>(['ps']);
  check(stats?.memoryMaxBytes === 32 * 1024 * 1024, 'wherry stats shows the limit of 32 MiB');
  const groups = readFileSync(`/proc/${container?.pid}/cgroup`, 'utf8');
  const read = (controller: string, v1: string, v2: string): string => {
    const line = new RegExp(`^\\d+:(?:[^:]*,)?${controller}(?:,[^:]*)?:(.*)$`, 'm').exec(groups);
    const path =
      line === null
        ? join('/sys/fs/cgroup', /^0::(.*)$/m.exec(groups)?.[1] ?? '', v2)
        : join('/sys/fs/cgroup', controller, line[1] ?? '', v1);
    return existsSync(path) ? readFileSync(path, 'utf8').trim() : '';
  };
  const memory = read('memory', 'memory.limit_in_bytes', 'memory.max');
  check(
    memory === String(32 * 1024 * 1024),
    `the kernel's own file says ${memory} bytes of memory`,
  );
  const cpu = read('cpu', 'cpu.cfs_quota_us', 'cpu.max');
  check(cpu.startsWith('50000'), `and a CPU quota of ${cpu} µs in 100 ms`);
  check(read('pids', 'pids.max', 'pids.max') === '32', 'and at most 32 processes');
}

async function second(world: World, devices: readonly Device[], file: string): Promise<void> {
  chapter('v2 is rolled out: only what changed crosses the network');
  await release(world, 'v2', file);
  await rollout(world, 'v2');
  for (const device of devices) {
    check(
      (await answers(world, device)) === 'hello from v2',
      `${device.name} answers "hello from v2"`,
    );
  }
  const events = await world.fleet.json<EventRow[]>(['events', '--type', 'pulled']);
  for (const device of devices) {
    const pulled = events.filter((event) => event.device === device.name).at(-1)?.counts ?? {};
    const fetched = pulled['bytesFetched'] ?? 0;
    const whole = pulled['imageBytes'] ?? 0;
    check(
      fetched > 0 && fetched < whole / 2,
      `${device.name} fetched ${bytesText(fetched)} of an image of ${bytesText(whole)} (${((100 * fetched) / whole).toFixed(1)} %)`,
    );
  }
}

async function sick(world: World, devices: readonly Device[], file: string): Promise<void> {
  chapter(
    'v3 is sick: the canary goes back by itself, and the rollout stops before the second device',
  );
  await release(world, 'v3', file);
  const [canaryVerdict] = [await rollout(world, 'v3', true)];
  check(!canaryVerdict.startsWith('0'), 'the rollout failed, and says why');
  check(canaryVerdict.includes('GATE_UNHEALTHY'), 'the reason has its code: GATE_UNHEALTHY');
  for (const device of devices) {
    await until(`${device.name} is back on v2`, 20_000, async () =>
      (await answers(world, device)) === 'hello from v2' ? true : undefined,
    );
    check(true, `${device.name} answers "hello from v2"`);
  }
  const statuses = await Promise.all(devices.map((device) => device.json<LocalStatus>(['status'])));
  check(
    statuses.filter((status) => status.failed !== null).length === 1,
    'only one device ever tried v3',
  );
  const canary = devices[statuses.findIndex((status) => status.failed !== null)] as Device;
  command(`wherry why   # on ${canary.name}`);
  say((await canary.cli(['why'])).stdout.split('\n').slice(0, 6).join('\n'));
}

async function alone(world: World, devices: readonly Device[]): Promise<void> {
  chapter('The fleet server stops, and an agent is killed: the containers never notice');
  const device = devices[0] as Device;
  const [before] = await device.json<LocalContainer[]>(['ps']);
  await world.fleet.stop();
  await device.kill();
  check(
    (await answers(world, device)) === 'hello from v2',
    'without fleet and agent the web server answers',
  );
  await device.start();
  const [after] = await device.json<LocalContainer[]>(['ps']);
  check(
    before?.pid === after?.pid,
    `the container is the same process as before (pid ${after?.pid})`,
  );
  check(before?.startedAt === after?.startedAt, 'it was not restarted');
  const log = (await device.cli(['logs', 'web'])).stdout;
  check(log.includes('web v2 listens on 8080'), 'its log is whole, from the first line on');
}
