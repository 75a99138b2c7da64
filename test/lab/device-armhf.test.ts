// SPDX-License-Identifier: Apache-2.0
// The C programs on a 32-bit kernel: life cycle, limits that bite, a filter of system calls, an overlay, a layer. Shell
// drives them, since Node takes a minute to start on this board; the whole suite runs on 64 bits.
// runs: host (it starts the device)

import { createHash } from 'node:crypto';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { projectFolder } from '../../adapters/places.js';
import { annotations } from '../../protocol/keeper.js';
import { type Case, groupOf, placeCase, runtime, writeCase } from '../kit/lab-bundle.js';
import { isFull, labTest } from '../kit/lab-needs.js';
import { type Device, openDevice } from './device/device.js';
import { must } from './device/must.js';

/** Past what 32 bits hold. */
const lateSeconds = 5_000_000_000;

const seccomp = {
  defaultAction: 'SCMP_ACT_ALLOW',
  architectures: ['SCMP_ARCH_ARM'],
  syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 }],
};

const cases: readonly Case[] = [
  { name: 'life', args: ['/bin/sleep', '100'] },
  { name: 'exit', args: ['/bin/sh', '-c', 'echo hello; hostname; exit 42'] },
  {
    name: 'memory',
    args: ['/bin/tail', '/dev/zero'],
    resources: { memory: { limit: 16_777_216, swap: 16_777_216 } },
  },
  {
    name: 'pids',
    args: ['/bin/sh', '-c', 'for i in 1 2 3 4 5 6 7 8; do sleep 3 & done; echo all'],
    resources: { pids: { limit: 5 } },
  },
  {
    name: 'cpu',
    args: ['/bin/sleep', '100'],
    resources: { cpu: { quota: 25_000, period: 100_000 }, memory: { limit: 4_294_967_296 } },
  },
  { name: 'filter', args: ['/bin/sh', '-c', 'mkdir /x || echo refused'], seccomp },
  {
    name: 'overlay',
    args: ['/bin/sh', '-c', 'cat /name; echo new >/mine; cat /mine'],
    annotations: {
      [annotations.overlayLower]: '/tmp/overlay/top:/tmp/overlay/base',
      [annotations.overlayUpper]: '/tmp/overlay/upper',
      [annotations.overlayWork]: '/tmp/overlay/work',
    },
  },
];

labTest(
  'on a 32-bit kernel containers live, are limited, filtered and stacked, and layers unpacked',
  async (t) => {
    t.timeout(600_000);
    const share = shareOf(t);
    const device = await openArmhf(t, share);
    t.is((await device.must('uname -m')).trim(), 'armv7l');
    for (const { name } of cases) {
      await placeCase(device, name, name === 'overlay' ? 'base' : 'rootfs');
    }
    await lives(t, device);
    await isLimited(t, device);
    const filtered = await run(device, 'filter');
    t.regex(filtered.stdout, /refused/, filtered.stderr);
    await isStacked(t, device);
    await unpacks(t, device, share);
    t.is(await device.must('find /sys/fs/cgroup/lab-test -mindepth 1 -type d'), '');
  },
  isFull,
);

function shareOf(t: ExecutionContext): string {
  const share = mkdtempSync(join(tmpdir(), 'wherry-lab-'));
  t.teardown(() => rmSync(share, { recursive: true, force: true }));
  return share;
}

async function openArmhf(t: ExecutionContext, share: string): Promise<Device> {
  mkdirSync(join(share, 'bin'));
  for (const name of ['wherry-run', 'wherry-layer']) {
    copyFileSync(join(projectFolder(), 'build/armv7l', name), join(share, 'bin', name));
  }
  for (const each of cases) writeCase(share, each);
  const device = await openDevice({ arch: 'armhf', memoryMb: 256, share });
  t.teardown(() => device.stop());
  t.log(`booted in ${device.bootMs} ms`);
  return device;
}

function run(device: Device, name: string) {
  return runtime(device, `run --bundle /tmp/${name} ${name}`);
}

async function start(t: ExecutionContext, device: Device, name: string): Promise<void> {
  const started = await runtime(device, `run -d --bundle /tmp/${name} ${name} >/dev/null`);
  t.is(started.code, 0, started.stderr);
}

async function lives(t: ExecutionContext, device: Device): Promise<void> {
  const ended = await run(device, 'exit');
  t.is(ended.code, 42, ended.stderr);
  t.is(ended.stdout, 'hello\nexit\n');
  await start(t, device, 'life');
  const state = JSON.parse((await runtime(device, 'state life')).stdout) as { status: string };
  t.is(state.status, 'running');
  t.is((await runtime(device, 'exec life /bin/sh -c "exit 7"')).code, 7);
  t.is((await runtime(device, 'delete --force life')).code, 0);
  t.not((await runtime(device, 'state life')).code, 0);
}

async function isLimited(t: ExecutionContext, device: Device): Promise<void> {
  const hog = await run(device, 'memory');
  t.is(hog.code, 137, hog.stderr);
  const crowd = await run(device, 'pids');
  t.notRegex(crowd.stdout, /all/);
  t.regex(crowd.stderr, /fork/);
  await start(t, device, 'cpu');
  const group = `/sys/fs/cgroup${groupOf('cpu')}`;
  t.is((await device.must(`cat ${group}/cpu.max`)).trim(), '25000 100000');
  // More than 32 bits hold: the value must not wrap.
  t.is((await device.must(`cat ${group}/memory.max`)).trim(), '4294967296');
  t.is((await runtime(device, 'delete --force cpu')).code, 0);
}

async function isStacked(t: ExecutionContext, device: Device): Promise<void> {
  await device.must(
    'cd /tmp/overlay && mkdir -p top upper work && echo base >base/name && echo top >top/name',
  );
  const stacked = await run(device, 'overlay');
  t.is(stacked.stdout, 'top\nnew\n', stacked.stderr);
  t.is(await device.must('cat /tmp/overlay/upper/mine'), 'new\n');
}

/** A file of the year 2128 comes and goes: Debian's 32-bit tools cannot see it, our programs must. */
async function unpacks(t: ExecutionContext, device: Device, share: string): Promise<void> {
  const tree = join(share, 'tree');
  mkdirSync(join(tree, 'a'), { recursive: true });
  writeFileSync(join(tree, 'a/f'), 'text\n');
  utimesSync(join(tree, 'a/f'), lateSeconds, lateSeconds);
  const tar = await must('tar', ['-C', tree, '-cf', join(share, 't.tar'), '.']);
  t.is(tar, '');
  const digest = createHash('sha256')
    .update(readFileSync(join(share, 't.tar')))
    .digest('hex');
  const layer = '/lab/share/bin/wherry-layer';
  t.true((await device.must(`${layer} digest </lab/share/t.tar`)).includes(`sha256:${digest}`));
  const unpack = `mkdir -p /tmp/out && ${layer} unpack --diff-id sha256:${digest} /tmp/out`;
  await device.must(`${unpack} </lab/share/t.tar`);
  t.is(await device.must('cat /tmp/out/a/f'), 'text\n');
  await device.must(`${layer} pack --out /lab/share/again.tar /tmp/out`);
  const list = await must('tar', ['--utc', '-tvf', join(share, 'again.tar')]);
  t.regex(list, /2128-06-11 08:53 \.?\/?a\/f/);
}
