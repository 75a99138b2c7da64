// SPDX-License-Identifier: Apache-2.0
// The whole of a container's life with the real runtime and keeper, in network namespaces of its own: made,
// started, reached through its published port, measured, read, entered, found again, stopped and removed.

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { run } from '../../../adapters/exec.js';
import { nativeProgram, placesOf } from '../../../adapters/places.js';
import { folderOf, keepersOf, runtimeRootOf } from '../../../agent/run/layout.js';
import { nftProgram } from '../../../agent/run/network.js';
import type { ContainerSpec, MadeContainer } from '../../../agent/run/types.js';
import type { LocalStats } from '../../../protocol/local.js';
import type { Workload } from '../../../protocol/release.js';
import { aLayer, aSpec, aWorkload, digestOf, tempFolder } from '../../kit/box-container.js';
import {
  type Agent,
  aNet,
  anAgent,
  cgroupsOf,
  deviceAddress,
  httpFrom,
  httpIn,
  lackingForReal,
  removeCgroups,
} from '../../kit/box-net.js';

const lacking = lackingForReal();
const real = lacking === undefined ? test.serial : test.skip;
const title = (words: string): string =>
  lacking === undefined ? words : `${words} [needs ${lacking}]`;
const program = fileURLToPath(new URL('../../../agent/local/main.js', import.meta.url));

/** An image of busybox as one layer, and a page of its own in a second one. */
function layers(root: string, page: string): string[] {
  const base = aLayer(join(root, 'base'), {
    bin: null,
    tmp: null,
    'etc/passwd': 'www:x:33:33::/www:/bin/sh\n',
  });
  execFileSync('cp', ['/bin/busybox', join(base, 'bin/busybox')]);
  for (const name of ['sh', 'httpd', 'cat', 'sleep', 'id', 'wget', 'echo', 'kill', 'hostname']) {
    symlinkSync('busybox', join(base, 'bin', name));
  }
  return [base, aLayer(join(root, `page-${page}`), { 'www/index.html': page })];
}

const web = (changed: Partial<Workload> = {}): Workload =>
  aWorkload({
    command: ['/bin/sh', '-c', 'echo up; echo trouble >&2; exec httpd -f -p 80 -h /www'],
    ports: [{ published: 8080, target: 80, protocol: 'tcp' }],
    resources: { memoryMaxBytes: 16 * 1024 * 1024, cpuMaxMillis: 500, pidsMax: 32 },
    ...changed,
  });

async function until<T>(look: () => Promise<T>, isSo: (value: T) => boolean): Promise<T> {
  let value = await look();
  for (let at = 0; at < 40 && !isSo(value); at += 1) {
    await delay(50);
    value = await look();
  }
  return value;
}

const one = async (agent: Agent, id: string): Promise<MadeContainer | undefined> =>
  (await agent.call<MadeContainer[]>('list')).find((made) => made.id === id);

real(
  title(
    'A container lives: made, reached, measured, entered, found by the next agent, stopped, removed',
  ),
  async (t) => {
    const root = tempFolder(t);
    const places = placesOf(root);
    const net = await aNet(t);
    t.teardown(() => removeCgroups(places.cgroupParent));
    let agent = await anAgent(t, net, root);
    const spec: ContainerSpec = aSpec(layers(root, 'v1'), { workload: web() });
    t.teardown(() => clean(root, [spec.id]));
    await agent.call('create', spec);
    t.is((await one(agent, spec.id))?.status, undefined);
    await agent.call('start', spec.id);
    const made = await one(agent, spec.id);
    t.is(made?.status?.state, 'running');

    t.is(
      await until(
        () => httpFrom(net.neighbour, deviceAddress, 8080),
        (body) => body !== undefined,
      ),
      'v1',
    );
    t.is(await httpFrom(net.device, '127.0.0.1', 8080), 'v1', 'by the loopback');
    t.is(await httpFrom(net.device, deviceAddress, 8080), 'v1', 'by the device’s own address');

    const [stats] = await agent.call<LocalStats[]>('stats');
    t.like(stats, {
      workload: 'web',
      memoryMaxBytes: 16 * 1024 * 1024,
      cpuMaxMillis: 500,
      pidsMax: 32,
    });
    t.true((stats?.memoryBytes ?? 0) > 0);
    t.true((stats?.pids ?? 0) >= 1);

    const logs = await until(
      () => agent.call<string[]>('logs', spec.id),
      (lines) => lines.length >= 2,
    );
    t.deepEqual(logs.slice().sort(), ['stderr trouble', 'stdout up']);

    const pid = made?.status?.pid;
    await agent.kill();
    t.is(await httpFrom(net.neighbour, deviceAddress, 8080), 'v1', 'with the agent away');
    const wherry = (...args: string[]) =>
      run(process.execPath, [program, args[0] ?? '', '--root', root, ...args.slice(1)], {
        timeoutMs: 20_000,
      });
    t.regex((await wherry('ps')).stdout, /web .*Up .*0\.0\.0\.0:8080->80\/tcp/);
    const entered = await wherry(
      'exec',
      '-u',
      'www',
      '-e',
      'A=b c',
      '-w',
      '/tmp',
      'web',
      'sh',
      '-c',
      'id -u; echo "$A"; pwd; hostname',
    );
    t.is(entered.stdout, '33\nb c\n/tmp\nweb\n', entered.stderr);
    t.is((await wherry('exec', 'web', 'sh', '-c', 'exit 7')).code, 7);

    agent = await anAgent(t, net, root);
    const found = await one(agent, spec.id);
    t.is(found?.status?.pid, pid);
    await agent.call('start', spec.id);
    t.is((await one(agent, spec.id))?.status?.pid, pid, 'start finds it running');
    t.regex((await wherry('stats')).stdout, /16MiB/);

    await agent.call('stop', { id: spec.id, graceMs: 2000 });
    t.is((await one(agent, spec.id))?.status, undefined);
    t.is(await httpFrom(net.device, '127.0.0.1', 8080), undefined);
    t.is((await agent.call<string[]>('logs', spec.id)).length, 2, 'the log stays');
    t.true(existsSync(join(folderOf(places, spec.id), 'exits.jsonl')));
    await agent.call('start', spec.id);
    t.is(
      await until(
        () => httpFrom(net.device, '127.0.0.1', 8080),
        (body) => body !== undefined,
      ),
      'v1',
    );

    await agent.call('remove', spec.id);
    t.deepEqual(await agent.call('list'), []);
    t.false(existsSync(folderOf(places, spec.id)));
    t.deepEqual(readdirSync(keepersOf(places)), []);
    t.deepEqual(cgroupsOf(`${places.cgroupParent}/${spec.id}`), []);
    const table = await run('nsenter', [
      `--net=/run/netns/${net.device}`,
      nftProgram(),
      'list',
      'tables',
    ]);
    t.false(table.stdout.includes(places.nftTable));
    t.true((await agent.call<string[]>('changed')).includes(spec.id));
  },
);

real(
  title(
    'Two containers call each other by name, and the port goes over to the next one of a workload',
  ),
  async (t) => {
    const root = tempFolder(t);
    const places = placesOf(root);
    const net = await aNet(t);
    t.teardown(() => removeCgroups(places.cgroupParent));
    const agent = await anAgent(t, net, root);
    const old = aSpec(layers(root, 'v1'), { workload: web() });
    const next = aSpec(
      [old.layers[0] ?? '', aLayer(join(root, 'page-v2'), { 'www/index.html': 'v2' })],
      {
        workload: web(),
        spec: digestOf('v2'),
        release: digestOf('release 2'),
      },
    );
    const { ports: _ports, ...quiet } = web({
      name: 'caller',
      command: ['/bin/sleep', '600'],
      readOnly: true,
      mounts: [
        { type: 'volume', source: 'pages', target: '/www' },
        { type: 'tmpfs', target: '/scratch', sizeMaxBytes: 65_536 },
      ],
      healthcheck: {
        test: ['/bin/cat', '/www/index.html'],
        intervalMs: 200,
        timeoutMs: 5000,
        retryCountMax: 3,
        startPeriodMs: 0,
        startIntervalMs: 200,
      },
    });
    const caller = aSpec(old.layers, { workload: quiet });
    t.teardown(() => clean(root, [old.id, next.id, caller.id]));
    for (const spec of [old, caller, next]) await agent.call('create', spec);
    await agent.call('start', old.id);
    await agent.call('start', caller.id);
    const enter = (script: string) =>
      run(process.execPath, [program, 'exec', '--root', root, 'caller', 'sh', '-c', script]);
    const written = await enter(
      'cat /www/index.html; echo new > /www/kept; echo x > /scratch/a; echo x > /tmp/a',
    );
    t.is(written.stdout, 'v1', 'a new volume has the image’s content');
    t.not(written.code, 0, 'the root is read-only');
    t.is(readFileSync(join(places.state, 'volumes/pages/_data/kept'), 'utf8'), 'new\n');
    const probed = await until(
      () => one(agent, caller.id),
      (made) => made?.status?.health === 'healthy',
    );
    t.is(probed?.status?.health, 'healthy');

    const callerPid = (await one(agent, caller.id))?.status?.pid;
    /** What the caller gets from the address that it knows `web` by. */
    const call = async (): Promise<string | undefined> => {
      const args = ['exec', '--root', root, 'caller', 'cat', '/etc/hosts'];
      const hosts = await run(process.execPath, [program, ...args]);
      const address = /^(\S+)\tweb$/m.exec(hosts.stdout)?.[1] ?? 'unknown';
      return httpIn(`/proc/${callerPid}/ns/net`, address, 80);
    };
    t.is(await until(call, (body) => body !== undefined), 'v1');
    const taken = await t.throwsAsync(agent.call('start', next.id), { code: 'RUN_PORT_TAKEN' });
    t.true(taken?.message.includes(old.id));
    t.is(await httpFrom(net.device, '127.0.0.1', 8080), 'v1', 'what ran is not touched');
    await agent.call('stop', { id: old.id, graceMs: 2000 });
    await agent.call('start', next.id);
    t.is(
      await until(
        () => httpFrom(net.neighbour, deviceAddress, 8080),
        (body) => body !== undefined,
      ),
      'v2',
    );
    t.is(
      await until(call, (body) => body === 'v2'),
      'v2',
      'its name is known to what was not touched',
    );
    for (const spec of [old, next, caller]) await agent.call('remove', spec.id);
    t.true(existsSync(join(places.state, 'volumes/pages/_data/kept')), 'volumes stay');
  },
);

real(
  title(
    'A container that cannot start says so with the runtime’s code, and one whose keeper is killed is taken over',
  ),
  async (t) => {
    const root = tempFolder(t);
    const places = placesOf(root);
    const net = await aNet(t);
    t.teardown(() => removeCgroups(places.cgroupParent));
    const agent = await anAgent(t, net, root);
    const bad = aSpec(layers(root, 'v1'), {
      workload: aWorkload({
        name: 'bad',
        command: ['/bin/none'],
        restart: { policy: 'no', retryCountMax: 0 },
      }),
    });
    const good = aSpec(bad.layers, { workload: web() });
    t.teardown(() => clean(root, [bad.id, good.id]));
    await agent.call('create', bad);
    await t.throwsAsync(agent.call('start', bad.id), { code: 'BOX_EXEC' });
    t.is((await one(agent, bad.id))?.status?.state, 'failed');
    await agent.call('remove', bad.id);

    await agent.call('create', good);
    await agent.call('start', good.id);
    const before = (await one(agent, good.id))?.status;
    process.kill(before?.keeperPid ?? 0, 'SIGKILL');
    await until(
      () => one(agent, good.id),
      (made) => made?.status === undefined,
    );
    await agent.call('start', good.id);
    const after = (await one(agent, good.id))?.status;
    t.is(after?.state, 'running');
    t.not(after?.pid, before?.pid);
    t.is(
      await until(
        () => httpFrom(net.device, '127.0.0.1', 8080),
        (body) => body !== undefined,
      ),
      'v1',
    );
    t.false(isAlive(before?.pid ?? 0), 'the old process is gone');
    await agent.call('remove', good.id);
  },
);

/** A zombie is dead: who has to reap it is not our business. */
function isAlive(pid: number): boolean {
  const path = `/proc/${pid}/stat`;
  return existsSync(path) && !/\) [ZX] /.test(readFileSync(path, 'utf8'));
}

/** Whatever a failing test left: keepers by the pid in their status, containers by the runtime. */
async function clean(root: string, ids: readonly string[]): Promise<void> {
  const places = placesOf(root);
  const names = existsSync(keepersOf(places)) ? readdirSync(keepersOf(places)) : [];
  for (const name of names) {
    const path = join(keepersOf(places), name, 'status.json');
    if (!existsSync(path)) continue;
    const { keeperPid } = JSON.parse(readFileSync(path, 'utf8')) as { keeperPid: number };
    const command = existsSync(`/proc/${keeperPid}/cmdline`)
      ? readFileSync(`/proc/${keeperPid}/cmdline`, 'utf8')
      : '';
    if (command.includes(root)) process.kill(keeperPid, 'SIGKILL');
  }
  for (const id of ids) {
    await run(nativeProgram('wherry-run'), [
      '--root',
      runtimeRootOf(places),
      'delete',
      '--force',
      id,
    ]);
  }
}
