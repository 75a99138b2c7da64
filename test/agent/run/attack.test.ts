// SPDX-License-Identifier: Apache-2.0
// What a container or a neighbour of the device tries, against the real agent, runtime and firewall in network
// namespaces of their own.

import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { run } from '../../../adapters/exec.js';
import { nativeProgram, placesOf } from '../../../adapters/places.js';
import { runtimeRootOf } from '../../../agent/run/layout.js';
import type { ContainerSpec, MadeContainer } from '../../../agent/run/types.js';
import type { Workload } from '../../../protocol/release.js';
import { aLayer, aSpec, aWorkload, tempFolder } from '../../kit/box-container.js';
import {
  type Agent,
  aNet,
  anAgent,
  deviceAddress,
  httpFrom,
  lackingForReal,
  type Net,
  removeCgroups,
} from '../../kit/box-net.js';

const lacking = lackingForReal();
const real = lacking === undefined ? test.serial : test.skip;
const title = (words: string): string =>
  lacking === undefined ? words : `${words} [needs ${lacking}]`;

interface World {
  readonly net: Net;
  readonly agent: Agent;
  /** A folder that releases may bind. */
  readonly allowed: string;
  /** Makes a container and starts it; removed at the end. */
  begin(changed: Partial<Workload>): Promise<ContainerSpec>;
  /** In a container, with the output. */
  enter(spec: ContainerSpec, ...argv: string[]): Promise<string>;
}

async function aWorld(t: ExecutionContext): Promise<World> {
  const root = tempFolder(t);
  const places = placesOf(root);
  const allowed = join(root, 'allowed');
  mkdirSync(allowed);
  t.teardown(() => removeCgroups(places.cgroupParent));
  const net = await aNet(t);
  const agent = await anAgent(t, net, root, [allowed]);
  const layer = aLayer(join(root, 'layer'), { bin: null, tmp: null, 'www/index.html': 'page' });
  execFileSync('cp', ['/bin/busybox', join(layer, 'bin/busybox')]);
  for (const name of ['sh', 'sleep', 'httpd', 'ln', 'cat', 'truncate']) {
    symlinkSync('busybox', join(layer, 'bin', name));
  }
  return {
    net,
    agent,
    allowed,
    begin: async (changed) => {
      const workload = aWorkload({ command: ['/bin/sleep', '600'], stopGraceMs: 0, ...changed });
      const spec = aSpec([layer], { workload });
      t.teardown(() => agent.call('remove', spec.id));
      await agent.call('create', spec);
      await agent.call('start', spec.id);
      return spec;
    },
    enter: async (spec, ...argv) => {
      const args = ['--root', runtimeRootOf(places), 'exec', spec.id, ...argv];
      const done = await run(nativeProgram('wherry-run'), args);
      return done.stdout + done.stderr;
    },
  };
}

async function page(name: string, host: string, port: number): Promise<string | undefined> {
  for (let at = 0; at < 20; at += 1) {
    const body = await httpFrom(name, host, port);
    if (body !== undefined) return body;
    await delay(50);
  }
  return undefined;
}

real(
  title('A port of 127.0.0.1 is out of reach for a neighbour that routes 127.0.0.1 by the device'),
  async (t) => {
    const { net, begin } = await aWorld(t);
    await begin({
      command: ['/bin/httpd', '-f', '-p', '80', '-h', '/www'],
      ports: [
        { hostIp: '127.0.0.1', published: 8080, target: 80, protocol: 'tcp' },
        { published: 8081, target: 80, protocol: 'tcp' },
      ],
    });
    t.is(await page(net.device, '127.0.0.1', 8080), 'page', 'the device itself');
    t.is(await page(net.neighbour, deviceAddress, 8081), 'page');
    t.is(await httpFrom(net.neighbour, deviceAddress, 8080), undefined);
    const routed = await run('nsenter', [
      `--net=/run/netns/${net.neighbour}`,
      'sh',
      '-ec',
      `for c in all eth0; do echo 1 > /proc/sys/net/ipv4/conf/$c/route_localnet; done
      ip route del local 127.0.0.0/8 table local
      ip addr del 127.0.0.1/8 dev lo
      ip route add 127.0.0.1/32 via ${deviceAddress} dev eth0 onlink`,
    ]);
    t.is(routed.code, 0, routed.stderr);
    t.is(await httpFrom(net.neighbour, '127.0.0.1', 8080), undefined);
    t.is(await httpFrom(net.neighbour, '127.0.0.1', 8081), undefined, 'nor by the open port');
    t.is(await page(net.neighbour, deviceAddress, 8081), 'page', 'what is published stays so');
  },
);

real(
  title('A container that grows its /etc/hosts does not keep others from starting and stopping'),
  async (t) => {
    const { agent, begin, enter } = await aWorld(t);
    const evil = await begin({ name: 'evil' });
    for (const size of ['3G', '300M']) {
      t.is(await enter(evil, '/bin/truncate', '-s', size, '/etc/hosts'), '');
      const other = await begin({ name: `other-${size.toLowerCase()}` });
      t.regex(await enter(evil, '/bin/cat', '/etc/hosts'), /\tother-/, 'it has its own text again');
      await enter(evil, '/bin/truncate', '-s', size, '/etc/hosts');
      await agent.call('stop', { id: other.id, graceMs: 0 });
    }
    const made = await agent.call<MadeContainer[]>('list');
    t.is(made.find(({ id }) => id === evil.id)?.status?.state, 'running');
  },
);

real(
  title('A link that one container leaves in an allowed folder opens nothing to the next one'),
  async (t) => {
    const { allowed, begin, enter } = await aWorld(t);
    const outside = tempFolder(t);
    writeFileSync(join(outside, 'secret'), 'secret of the host');
    const bind = (source: string): Partial<Workload> => ({
      mounts: [{ type: 'bind', source, target: '/data' }],
    });
    const one = await begin({ name: 'one', ...bind(allowed) });
    t.is(await enter(one, '/bin/ln', '-s', outside, '/data/x'), '');
    await t.throwsAsync(begin({ name: 'two', ...bind(join(allowed, 'x')) }), { code: 'BOX_MOUNT' });
    await t.throwsAsync(begin({ name: 'three', ...bind(outside) }), { code: 'RUN_BIND' });
  },
);
