// SPDX-License-Identifier: Apache-2.0
// What the keys of a workload do in a real container: the kernel is asked from inside, and on the device.

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { run } from '../../../adapters/exec.js';
import { nativeProgram, placesOf } from '../../../adapters/places.js';
import { folderOf, layoutOf, runDirOf, runtimeRootOf } from '../../../agent/run/layout.js';
import type { MadeContainer } from '../../../agent/run/types.js';
import { readSeccomp } from '../../../fleet/release/seccomp.js';
import type { Workload } from '../../../protocol/release.js';
import { aLayer, aSpec, aWorkload, tempFolder } from '../../kit/box-container.js';
import { type Agent, aNet, anAgent, lackingForReal, removeCgroups } from '../../kit/box-net.js';

const lacking = lackingForReal();
const real = lacking === undefined ? test.serial : test.skip;
const title = (words: string): string =>
  lacking === undefined ? words : `${words} [needs ${lacking}]`;
const mebi = 1024 * 1024;
const applets = 'sh cat ls sleep id ulimit df hostname dd stat ps kill echo true touch head';

interface Life {
  readonly agent: Agent;
  readonly root: string;
  readonly id: string;
  /** What a shell in the container prints; not ended with 0 is an error. */
  enter(script: string): Promise<string>;
}

/** A container that runs until the end of the test. */
async function aLife(
  t: ExecutionContext,
  changed: Partial<Workload>,
  configs: ReadonlyArray<{ name: string; content: string }> = [],
): Promise<Life> {
  const root = tempFolder(t);
  const places = placesOf(root);
  const net = await aNet(t);
  t.teardown(() => removeCgroups(places.cgroupParent));
  const agent = await anAgent(t, net, root);
  const base = aLayer(join(root, 'base'), {
    bin: null,
    tmp: null,
    'etc/passwd': 'www:x:33:33::/www:/bin/sh\n',
    'etc/group': 'www:x:33:\ndialout:x:20:\n',
  });
  execFileSync('cp', ['/bin/busybox', join(base, 'bin/busybox')]);
  for (const name of applets.split(' ')) symlinkSync('busybox', join(base, 'bin', name));
  const workload = aWorkload({ command: ['/bin/sleep', '600'], stopGraceMs: 500, ...changed });
  const shared = { networks: [], volumes: [], configs };
  const spec = aSpec([base], { workload, shared });
  t.teardown(async () => {
    await agent.call('remove', spec.id).catch(() => undefined);
  });
  await agent.call('create', spec);
  await agent.call('start', spec.id);
  const enter = async (script: string): Promise<string> => {
    const args = ['--root', runtimeRootOf(places), 'exec', spec.id, '/bin/sh', '-c', script];
    const done = await run(nativeProgram('wherry-run'), args, { timeoutMs: 10_000 });
    if (done.code !== 0) throw new Error(`${script}: ${done.code} ${done.stdout} ${done.stderr}`);
    return done.stdout.trim();
  };
  return { agent, root, id: spec.id, enter };
}

const one = async ({ agent, id }: Life): Promise<MadeContainer | undefined> =>
  (await agent.call<MadeContainer[]>('list')).find((made) => made.id === id);

/** The main process's own words, from its /proc on the device. */
async function proc(life: Life, name: string): Promise<string> {
  const pid = (await one(life))?.status?.pid ?? 0;
  return readFileSync(`/proc/${pid}/${name}`, 'utf8');
}

/** A value of the container's group: v1 name or v2 name. */
function groupValue(life: Life, v1: string, v2: string): string {
  const path = `${placesOf(life.root).cgroupParent}/${life.id}`;
  const roots = ['', ...readdirSync('/sys/fs/cgroup').map((name) => `/${name}`)];
  for (const root of roots) {
    for (const name of [v1, v2]) {
      const file = `/sys/fs/cgroup${root}${path}/${name}`;
      if (existsSync(file)) return readFileSync(file, 'utf8').trim();
    }
  }
  return 'none';
}

real(
  title(
    'Limits: ulimits, memory with swap and reservation, CPU weight and set, /dev/shm, OOM score',
  ),
  async (t) => {
    const life = await aLife(t, {
      ulimits: { nofile: { soft: 100, hard: 200 }, core: { soft: 0, hard: 0 } },
      resources: {
        memoryMaxBytes: 32 * mebi,
        memorySwapMaxBytes: 48 * mebi,
        memoryReservationBytes: 16 * mebi,
        cpuShares: 512,
        cpuset: '0',
        shmBytes: mebi,
        oomScoreAdj: 300,
      },
    });
    t.regex(await proc(life, 'limits'), /Max open files +100 +200 /);
    t.regex(await proc(life, 'limits'), /Max core file size +0 +0 /);
    t.is((await proc(life, 'oom_score_adj')).trim(), '300');
    const swap = groupValue(life, 'memory.memsw.limit_in_bytes', 'memory.swap.max');
    if (swap === 'none') t.log('the kernel counts no swap here');
    else t.true([`${48 * mebi}`, `${16 * mebi}`].includes(swap), swap);
    t.is(groupValue(life, 'memory.limit_in_bytes', 'memory.max'), `${32 * mebi}`);
    t.is(groupValue(life, 'memory.soft_limit_in_bytes', 'memory.low'), `${16 * mebi}`);
    t.true(['512', '20'].includes(groupValue(life, 'cpu.shares', 'cpu.weight')));
    t.is(groupValue(life, 'cpuset.cpus', 'cpuset.cpus'), '0');
    t.regex(await life.enter('df -k /dev/shm'), /shm +1024 /);
    await t.throwsAsync(life.enter('dd if=/dev/zero of=/dev/shm/x bs=1024 count=2048'));
  },
);

real(
  title(
    'Rights: sysctls, a device under another name, groups, no new privileges, a read-only root',
  ),
  async (t) => {
    const life = await aLife(t, {
      user: 'www',
      groupAdd: ['dialout', '4321'],
      sysctls: { 'net.core.somaxconn': '77', 'kernel.msgmax': '4096' },
      devices: [{ source: '/dev/full', target: '/dev/packed', permissions: 'rw' }],
      security: { noNewPrivileges: true },
      readOnly: true,
      mounts: [{ type: 'tmpfs', target: '/scratch', sizeMaxBytes: 65_536, mode: 0o700, uid: 33 }],
    });
    t.is(await life.enter('cat /proc/sys/net/core/somaxconn /proc/sys/kernel/msgmax'), '77\n4096');
    t.is(await life.enter('stat -c %t:%T /dev/packed'), '1:7');
    await t.throwsAsync(life.enter('echo x > /dev/packed'), { message: /No space|ENOSPC|: 1/ });
    const status = await proc(life, 'status');
    t.regex(status, /^Groups:\t20 4321 *$/m);
    t.regex(status, /^NoNewPrivs:\t1$/m);
    await t.throwsAsync(life.enter('touch /tmp/x'), { message: /Read-only/ });
    t.regex(await life.enter('stat -c %a:%u /scratch'), /^700:33$/);
  },
);

real(
  title(
    'Seccomp: a profile in Docker’s form closes what it names, and the distribution’s own runs',
  ),
  async (t) => {
    const closed = await aLife(t, {
      security: {
        seccomp: {
          defaultAction: 'SCMP_ACT_ALLOW',
          syscalls: [{ names: ['symlink', 'symlinkat'], action: 'SCMP_ACT_ERRNO', errnoRet: 93 }],
        },
      },
    });
    t.regex(await proc(closed, 'status'), /^Seccomp:\t2$/m);
    await t.throwsAsync(closed.enter('busybox ln -s a /tmp/b'), { message: /not supported/i });
    const open = await aLife(t, { security: { seccomp: 'unconfined' } });
    t.regex(await proc(open, 'status'), /^Seccomp:\t0$/m);
    const file = '/usr/share/containers/seccomp.json';
    if (!existsSync(file)) {
      t.log(`${file} is not here`);
      return;
    }
    const profile = readSeccomp(readFileSync(file, 'utf8'), file);
    const packaged = await aLife(t, { security: { seccomp: profile } });
    t.is(await packaged.enter('echo fine'), 'fine');
  },
);

real(
  title('Names: host and domain name, extra hosts, resolvers, and the files of configs'),
  async (t) => {
    const life = await aLife(
      t,
      {
        networks: { default: { aliases: ['called'] } },
        hostname: 'box',
        domainname: 'example.org',
        extraHosts: [
          { name: 'db', address: '10.9.8.7' },
          { name: 'device', address: 'host-gateway' },
        ],
        dns: { servers: ['9.9.9.9'], search: ['a.example'], options: ['ndots:2'] },
        configs: [{ source: 'site', target: '/etc/site.conf', uid: 33, mode: 0o400 }],
      },
      [{ name: 'site', content: 'hello\n' }],
    );
    t.is(await life.enter('hostname; cat /proc/sys/kernel/domainname'), 'box\nexample.org');
    const hosts = await life.enter('cat /etc/hosts');
    t.regex(hosts, /^10\.9\.8\.7\tdb$/m);
    t.regex(hosts, new RegExp(`^${placesOf(life.root).subnet}\\.1\tdevice$`, 'm'));
    t.regex(hosts, /\tbox\.example\.org box$/m);
    t.regex(hosts, /\tcalled$/m);
    t.is(
      await life.enter('cat /etc/resolv.conf'),
      'nameserver 9.9.9.9\nsearch a.example\noptions ndots:2',
    );
    t.is(await life.enter('cat /etc/site.conf; stat -c %a:%u /etc/site.conf'), 'hello\n400:33');
    await t.throwsAsync(life.enter('echo x > /etc/site.conf'), { message: /Read-only/ });
  },
);

real(
  title(
    'Init: it is process 1, reaps orphans, passes the stop signal on and gives the exit status',
  ),
  async (t) => {
    const life = await aLife(t, {
      init: true,
      restart: { policy: 'no', retryCountMax: 0 },
      command: ['/bin/sh', '-c', 'trap "exit 7" QUIT; (sleep 0.1 &); while :; do sleep 0.05; done'],
      stopSignal: 'SIGQUIT',
      stopGraceMs: 5000,
    });
    t.regex(await life.enter('cat /proc/1/cmdline'), /^\/dev\/wherry-init/);
    await delay(400);
    t.notRegex(await life.enter('ps -o stat'), /^Z/m, 'the orphan is reaped');
    const exits = join(folderOf(placesOf(life.root), life.id), 'exits.jsonl');
    await life.agent.call('stop', { id: life.id, graceMs: 5000 });
    t.regex(readFileSync(exits, 'utf8').trim().split('\n').at(-1) ?? '', /"code":7\b/);
  },
);

real(
  title('Logging: files are as few and as small as asked for, and none keeps none'),
  async (t) => {
    const chatty = [
      '/bin/sh',
      '-c',
      'i=0; while [ $i -lt 3000 ]; do echo "line $i of many"; i=$((i+1)); done; sleep 600',
    ];
    const kept = await aLife(t, {
      command: chatty,
      logging: { driver: 'local', fileBytesMax: 8192, fileCountMax: 2 },
    });
    const logs = layoutOf(folderOf(placesOf(kept.root), kept.id)).logs;
    await until(async () =>
      (await kept.agent.call<string[]>('logs', kept.id)).some((line) => line.includes('line 2999')),
    );
    t.true(readdirSync(logs).length <= 2);
    for (const name of readdirSync(logs)) t.true(readFileSync(join(logs, name)).length <= 8192);
  },
);

real(title('Logging: none keeps only the last words, and in memory'), async (t) => {
  const life = await aLife(t, {
    command: ['/bin/sh', '-c', 'echo said; sleep 600'],
    logging: { driver: 'none' },
  });
  t.deepEqual(await life.agent.call<string[]>('logs', life.id), []);
  t.deepEqual(readdirSync(layoutOf(folderOf(placesOf(life.root), life.id)).logs), []);
  const inMemory = join(runDirOf(placesOf(life.root), life.id), 'log/current.log');
  await until(async () => existsSync(inMemory) && readFileSync(inMemory).length > 0);
  t.true(readFileSync(inMemory).length <= 4096);
});

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (let at = 0; at < 100 && !(await isSo()); at += 1) await delay(50);
}

real(
  title(
    'A ulimit beyond the agent’s own, a device that is not there and a missing config say so by code',
  ),
  async (t) => {
    const root = tempFolder(t);
    const agent = await anAgent(t, await aNet(t), root);
    const layer = aLayer(join(root, 'base'), { bin: null });
    const codeOf = async (changed: Partial<Workload>): Promise<string> => {
      const error = await t.throwsAsync<Error & { code?: string }>(
        agent.call('create', aSpec([layer], { workload: aWorkload(changed) })),
      );
      return `${error?.code} ${error?.message}`;
    };
    t.regex(
      await codeOf({ ulimits: { nofile: { soft: 10, hard: 2 ** 40 } } }),
      /^RUN_LIMIT .*ulimit nofile/,
    );
    t.regex(
      await codeOf({
        devices: [{ source: '/dev/none-such', target: '/dev/x', permissions: 'rw' }],
      }),
      /^RUN_DEVICE \/dev\/none-such is not on this device/,
    );
    t.regex(
      await codeOf({ devices: [{ source: '/dev/stdin/x', target: '/dev/x', permissions: 'rw' }] }),
      /^RUN_DEVICE /,
    );
    t.regex(await codeOf({ schedule: { cron: '* * * * *' } }), /^RUN_UNMET .*x-wherry\.schedule/);
    t.regex(await codeOf({ networkMode: 'service:db' }), /^RUN_UNMET .*service/);
    t.regex(await codeOf({ networks: { back: {} } }), /^RUN_UNMET .*networks/);
    t.regex(await codeOf({ configs: [{ source: 'gone', target: '/x' }] }), /^RUN_CONFIG .*gone/);
  },
);
