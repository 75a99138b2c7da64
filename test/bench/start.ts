// SPDX-License-Identifier: Apache-2.0
// What does one container start cost, next to crun and runc?

import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nativeProgram } from '../../adapters/places.js';
import { runIn } from '../kit/world/program.js';
import type { World } from '../kit/world/world.js';
import { median, type Question } from './question.js';

const rounds = 15;

/** The same bundle for each: five namespaces, the usual mounts and masks, memory, CPU and pids limits. */
function config(rootfs: string, id: string): object {
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      args: ['/bin/true'],
      env: ['PATH=/bin'],
      cwd: '/',
      noNewPrivileges: true,
      capabilities: { bounding: ['CAP_KILL'], effective: ['CAP_KILL'], permitted: ['CAP_KILL'] },
    },
    root: { path: rootfs, readonly: true },
    hostname: 'bench',
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      {
        destination: '/dev',
        type: 'tmpfs',
        source: 'tmpfs',
        options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
      },
      {
        destination: '/dev/pts',
        type: 'devpts',
        source: 'devpts',
        options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620'],
      },
      {
        destination: '/dev/shm',
        type: 'tmpfs',
        source: 'shm',
        options: ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k'],
      },
      {
        destination: '/sys',
        type: 'sysfs',
        source: 'sysfs',
        options: ['nosuid', 'noexec', 'nodev', 'ro'],
      },
    ],
    linux: {
      cgroupsPath: `/wherry-bench/${id}`,
      resources: {
        memory: { limit: 67_108_864 },
        cpu: { quota: 50_000, period: 100_000 },
        pids: { limit: 100 },
      },
      namespaces: ['pid', 'network', 'ipc', 'uts', 'mount'].map((type) => ({ type })),
      maskedPaths: ['/proc/acpi', '/proc/kcore', '/proc/keys', '/proc/timer_list', '/sys/firmware'],
      readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
    },
  };
}

async function once(runtime: string, world: World, id: string): Promise<number> {
  const bundle = join(world.root, 'bench-bundle');
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(config(join(bundle, 'rootfs'), id)));
  const startedAt = performance.now();
  const output = await runIn(undefined, [
    runtime,
    '--root',
    join(world.root, `rt-${id}`),
    'run',
    '--bundle',
    bundle,
    id,
  ]);
  if (output.code !== 0) throw new Error(`${runtime}: ${output.stderr}`);
  return performance.now() - startedAt;
}

export async function start(world: World, base: string): Promise<Question> {
  const bundle = join(world.root, 'bench-bundle');
  mkdirSync(bundle, { recursive: true });
  cpSync(base, join(bundle, 'rootfs'), { recursive: true, verbatimSymlinks: true });
  for (const folder of ['proc', 'dev', 'sys'])
    mkdirSync(join(bundle, 'rootfs', folder), { recursive: true });
  const runtimes = { ours: nativeProgram('wherry-run'), runc: 'runc', crun: 'crun' };
  const times: Record<keyof typeof runtimes, number[]> = { ours: [], runc: [], crun: [] };
  let crunSays = '';
  for (let round = 0; round < rounds; round += 1) {
    times.ours.push(await once(runtimes.ours, world, `w${round}`));
    times.runc.push(await once(runtimes.runc, world, `r${round}`));
    if (crunSays !== '') continue;
    try {
      times.crun.push(await once(runtimes.crun, world, `c${round}`));
    } catch (error) {
      crunSays = (error as Error).message.trim().slice(0, 120);
    }
  }
  const ours = median(times.ours);
  const runc = median(times.runc);
  return {
    title: 'One container start: `run /bin/true`',
    how: `The same bundle, read-only busybox, five namespaces, memory, CPU and pids limits, ${rounds} rounds in turn, median wall time of the whole process.`,
    rows: [
      {
        what: 'next to runc',
        ours: `${ours.toFixed(1)} ms`,
        peer: `runc ${runc.toFixed(1)} ms`,
        ratio: (ours / runc).toFixed(2),
      },
      crunSays === ''
        ? {
            what: 'next to crun',
            ours: `${ours.toFixed(1)} ms`,
            peer: `crun ${median(times.crun).toFixed(1)} ms`,
            ratio: (ours / median(times.crun)).toFixed(2),
          }
        : {
            what: 'next to crun',
            ours: `${ours.toFixed(1)} ms`,
            peer: `crun refuses this machine: ${crunSays}`,
          },
    ],
  };
}
