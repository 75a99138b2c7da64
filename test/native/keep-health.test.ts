// SPDX-License-Identifier: Apache-2.0
// wherry-keep's probes with real containers: starting → healthy → unhealthy and back, start period, timeout.
// runs: host, lab

import { rmSync, writeFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KeepPlan } from '../../protocol/keeper.js';
import { aKept } from '../kit/keep-run.js';
import { needsBeside } from '../kit/needs.js';

const rooted = needsBeside(['root', 'busybox']);

const health: NonNullable<KeepPlan['health']> = {
  test: ['test', '-e', '/tmp/well'],
  intervalMs: 150,
  timeoutMs: 5000,
  retryCountMax: 2,
  startPeriodMs: 0,
  startIntervalMs: 150,
};
const args = ['sleep', '100'];
const stop = { signal: 'SIGKILL', graceMs: 1000 };

rooted(
  'Health goes from starting to healthy, to unhealthy after the retries, and back',
  async (t) => {
    const kept = await aKept(t, { args, plan: { health, stop } });
    const well = join(kept.folder, 'bundle/rootfs/tmp/well');
    await kept.start();
    t.is((await kept.until('running', ({ state }) => state === 'running')).health, 'starting');
    writeFileSync(well, '');
    const good = await kept.until('healthy', (status) => status.health === 'healthy');
    t.is(good.probe?.code, 0);
    rmSync(well);
    const ill = await kept.until('unhealthy', (status) => status.health === 'unhealthy');
    t.is(ill.probe?.code, 1);
    t.is(ill.state, 'running', 'an unhealthy container is reported, not restarted');
    t.is(ill.restartCount, 0);
    writeFileSync(well, '');
    await kept.until('healthy again', (status) => status.health === 'healthy');
  },
);

rooted('Failures within the start period do not count', async (t) => {
  const plan = { stop, health: { ...health, retryCountMax: 1, startPeriodMs: 3000 } };
  const kept = await aKept(t, { args, plan });
  await kept.start();
  const first = await kept.until('probed', ({ probe }) => probe !== undefined);
  const next = await kept.until('probed again', ({ probe }) => probe?.at !== first.probe?.at);
  t.deepEqual([first.health, next.health, next.probe?.code], ['starting', 'starting', 1]);
  const late = await kept.until('unhealthy', (status) => status.health === 'unhealthy');
  const began = Date.parse(late.startedAt ?? '');
  t.true(Date.parse(late.probe?.at ?? '') - began >= 2990);
});

rooted('A success ends the start period: the next failures count', async (t) => {
  const plan = { stop, health: { ...health, startPeriodMs: 600_000 } };
  const kept = await aKept(t, { args, plan });
  const well = join(kept.folder, 'bundle/rootfs/tmp/well');
  writeFileSync(well, '');
  await kept.start();
  await kept.until('healthy', (status) => status.health === 'healthy');
  rmSync(well);
  await kept.until('unhealthy', (status) => status.health === 'unhealthy');
  t.pass();
});

rooted(
  'A probe past its timeout is killed, its program too, and counts as a failure',
  async (t) => {
    const test = ['sh', '-c', 'echo hangs; sleep 7654'];
    const plan = { stop, health: { ...health, test, timeoutMs: 1500, retryCountMax: 1 } };
    const kept = await aKept(t, { args, plan });
    await kept.start();
    const status = await kept.until('unhealthy', (seen) => seen.health === 'unhealthy');
    t.is(status.probe?.code, -1);
    t.regex(status.probe?.output ?? '', /^hangs\nkilled: /);
    await kept.ask({ op: 'stop', graceMs: 0 });
    t.deepEqual(await sleepers('7654'), []);
  },
);

rooted(
  'A probe past its timeout leaves no program behind while the container runs on',
  async (t) => {
    const test = ['sleep', '7655'];
    const plan = { stop, health: { ...health, test, timeoutMs: 1500, intervalMs: 60_000 } };
    const slow = await aKept(t, { args, plan: { ...plan, health: { ...plan.health } } });
    writeFileSync(
      slow.planPath,
      JSON.stringify({
        ...slow.plan,
        health: { ...plan.health, startPeriodMs: 4000, startIntervalMs: 100, intervalMs: 60_000 },
      }),
    );
    await slow.start();
    await slow.until('timed out', ({ probe }) => probe?.code === -1);
    await slow.until('past the start period', ({ startedAt }) => {
      return Date.now() - Date.parse(startedAt ?? '') > 6500;
    });
    t.is(slow.status()?.state, 'running');
    t.deepEqual(await sleepers('7655'), []);
  },
);

rooted('The output of a probe is kept up to 256 bytes, as valid text', async (t) => {
  const test = ['sh', '-c', String.raw`printf '\377'; seq 1 1000; exit 9`];
  const kept = await aKept(t, { args, plan: { stop, health: { ...health, test } } });
  await kept.start();
  const { probe } = await kept.until('probed', (status) => status.probe !== undefined);
  t.is(probe?.code, 9);
  t.true(probe?.output.startsWith('\uFFFD1\n2\n'));
  t.is(probe?.output.length, 256);
});

rooted('Nothing is probed while the container is not running', async (t) => {
  const test = ['touch', '/tmp/probed'];
  const plan = { health: { ...health, test, intervalMs: 300, startIntervalMs: 300 } };
  const kept = await aKept(t, { args: ['sh', '-c', 'exit 0'], plan });
  await kept.start();
  await kept.until('exited', ({ state }) => state === 'exited');
  await sleep(700);
  t.is(kept.status()?.probe, undefined);
  t.false((await readdir(join(kept.folder, 'bundle/rootfs/tmp'))).includes('probed'));
});

/** Processes that sleep for `seconds`. */
async function sleepers(seconds: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (command === `sleep\0${seconds}\0`) found.push(pid);
  }
  return found;
}
