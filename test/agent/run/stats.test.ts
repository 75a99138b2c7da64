// SPDX-License-Identifier: Apache-2.0
// What containers use, from recorded files of cgroup v1, v2 and both, and from a cgroup of this machine.

import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { systemClock } from '../../../adapters/clock.js';
import { start } from '../../../adapters/exec.js';
import { foldersOf, parseMounts, readUsage } from '../../../agent/run/cgroup.js';
import { Meter } from '../../../agent/run/stats.js';
import type { MadeContainer } from '../../../agent/run/types.js';
import { aLayer, aWorkload, digestOf, tempFolder } from '../../kit/box-container.js';
import { needs } from '../../kit/needs.js';

const v1Mounts = `25 22 0:21 / /sys rw - sysfs sysfs rw
30 25 0:26 / /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory
31 25 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
32 25 0:28 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
33 25 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate
`;
const v1Process = `9:pids:/wherry/web-1
8:memory:/wherry/web-1
7:cpu,cpuacct:/wherry/web-1/inner
0::/wherry/web-1
`;

test('On cgroup v1 with a v2 hierarchy beside it, each controller is found in its own', (t) => {
  const folders = foldersOf(v1Process, parseMounts(v1Mounts), '/wherry/web-1');
  t.deepEqual(folders, {
    memory: { path: '/sys/fs/cgroup/memory/wherry/web-1', version: 1 },
    cpu: { path: '/sys/fs/cgroup/cpu,cpuacct/wherry/web-1', version: 1 },
    cpuacct: { path: '/sys/fs/cgroup/cpu,cpuacct/wherry/web-1', version: 1 },
    pids: { path: '/sys/fs/cgroup/pids/wherry/web-1', version: 1 },
  });
});

test('On cgroup v2 all are in one folder, also where only a part of the tree is mounted', (t) => {
  const mounts = parseMounts('30 25 0:26 /outer /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n');
  const folders = foldersOf('0::/outer/wherry/web-1/init\n', mounts, '/wherry/web-1');
  t.deepEqual(folders.memory, { path: '/sys/fs/cgroup/wherry/web-1', version: 2 });
  t.deepEqual(folders.pids, folders.memory);
});

test('Recorded v1 files: page cache is taken off, a limit of the kernel’s maximum is none', async (t) => {
  const path = aLayer(tempFolder(t), {
    'memory.usage_in_bytes': '5242880\n',
    'memory.limit_in_bytes': '50331648\n',
    'memory.stat': 'cache 2097152\nrss 3145728\ntotal_inactive_file 1048576\n',
    'cpuacct.usage': '1234567890\n',
    'cpu.cfs_quota_us': '50000\n',
    'cpu.cfs_period_us': '100000\n',
    'pids.current': '3\n',
    'pids.max': '64\n',
  });
  const folder = { path, version: 1 } as const;
  const folders = { memory: folder, cpu: folder, cpuacct: folder, pids: folder };
  t.deepEqual(await readUsage(folders), {
    memoryBytes: 4_194_304,
    memoryMaxBytes: 50_331_648,
    cpuUsageUs: 1_234_568,
    cpuMaxMillis: 500,
    pids: 3,
    pidsMax: 64,
  });
  aLayer(path, {
    'memory.limit_in_bytes': '9223372036854771712\n',
    'cpu.cfs_quota_us': '-1\n',
    'pids.max': 'max\n',
  });
  t.like(await readUsage(folders), { memoryMaxBytes: null, cpuMaxMillis: null, pidsMax: null });
});

test('Recorded v2 files', async (t) => {
  const path = aLayer(tempFolder(t), {
    'memory.current': '5242880\n',
    'memory.max': '50331648\n',
    'memory.stat': 'anon 3145728\nfile 2097152\ninactive_file 1048576\n',
    'cpu.stat': 'usage_usec 987654\nuser_usec 900000\nsystem_usec 87654\n',
    'cpu.max': '25000 100000\n',
    'pids.current': '2\n',
    'pids.max': 'max\n',
  });
  const folder = { path, version: 2 } as const;
  const folders = { memory: folder, cpu: folder, pids: folder };
  t.deepEqual(await readUsage(folders), {
    memoryBytes: 4_194_304,
    memoryMaxBytes: 50_331_648,
    cpuUsageUs: 987_654,
    cpuMaxMillis: 250,
    pids: 2,
    pidsMax: null,
  });
  aLayer(path, { 'memory.max': 'max\n', 'cpu.max': 'max 100000\n' });
  t.like(await readUsage(folders), { memoryMaxBytes: null, cpuMaxMillis: null });
});

test('A controller that is not there counts nothing', async (t) => {
  t.deepEqual(await readUsage({}), {
    memoryBytes: 0,
    memoryMaxBytes: null,
    cpuUsageUs: 0,
    cpuMaxMillis: null,
    pids: 0,
    pidsMax: null,
  });
});

needs(['root', 'sleep'])(
  'A process in a cgroup of this machine is measured against its limit',
  async (t) => {
    const mounts = parseMounts(readFileSync('/proc/self/mountinfo', 'utf8'));
    const pids = mounts.find((mount) => mount.options.includes('pids'));
    if (pids === undefined) {
      t.log('no cgroup v1 pids hierarchy here');
      t.pass();
      return;
    }
    const parent = `/wherry-test-${process.pid}`;
    const folder = join(pids.point, parent);
    const own = join(folder, 'web-1');
    mkdirSync(own, { recursive: true });
    const child = start('sleep', ['60']);
    t.teardown(async () => {
      child.kill('SIGKILL');
      await child.ended;
      rmdirSync(own);
      rmdirSync(folder);
    });
    writeFileSync(join(own, 'pids.max'), '17');
    writeFileSync(join(own, 'cgroup.procs'), String(child.pid));
    const made: MadeContainer = {
      id: 'web-1',
      spec: digestOf('s'),
      release: digestOf('r'),
      image: digestOf('i'),
      workload: aWorkload(),
      address: null,
      status: {
        id: 'web-1',
        keeperPid: 1,
        state: 'running',
        pid: child.pid,
        startedAt: null,
        restartCount: 0,
        health: 'none',
      },
    };
    const meter = new Meter(systemClock, parent);
    const [first] = await meter.read([made]);
    t.like(first, { container: 'web-1', workload: 'web', pids: 1, pidsMax: 17 });
    t.deepEqual(
      await meter.read([{ ...made, status: { ...(made.status ?? neverStatus), pid: 0 } }]),
      [],
    );
  },
);

const neverStatus = {
  id: '',
  keeperPid: 1,
  state: 'exited',
  pid: 0,
  startedAt: null,
  restartCount: 0,
  health: 'none',
} as const;
