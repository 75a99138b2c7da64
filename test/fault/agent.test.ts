// Question: does a device converge, and does what runs go on running, when the agent is killed at any moment?

import { readdirSync, readFileSync } from 'node:fs';
import type { LocalContainer } from '../../protocol/local.js';
import { needs } from '../kit/needs.js';
import { until } from '../kit/world/program.js';
import { openStage } from '../kit/world/site.js';

const fault = needs(['root', 'nft', 'ip']);

fault(
  'an agent killed again and again while it updates converges to the new release',
  async (t) => {
    const stage = await openStage(t, 'kill', ['a']);
    const [device] = stage.devices as [(typeof stage.devices)[0]];
    await stage.release({ version: 'v1' });
    t.is((await stage.rollout('v1')).code, 0);
    for (const [round, pauseMs] of [0, 20, 50, 100, 150, 200, 300, 500, 700, 1000].entries()) {
      const version = `k${round}`;
      await stage.release({ version }, { bake: '0s' });
      await stage.world.fleet.cli([
        'rollout',
        'start',
        `web:${version}`,
        '--canary',
        '1',
        '--bake',
        '0s',
        '--deadline',
        '60s',
      ]);
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      await device.kill();
      await device.start();
      await stage.answers(device, `hello from ${version}`);
      const containers = await device.json<LocalContainer[]>(['ps']);
      t.is(containers.length, 1, `one container after round ${round}`);
      await until('the rollout ended', 30_000, async () => {
        const rollouts = await stage.world.fleet.json<Array<{ state: string }>>(['rollout', 'ls']);
        return rollouts.every((rollout) => rollout.state !== 'running') ? true : undefined;
      });
    }
  },
);

fault('a keeper that is killed leaves no orphan, and its workload comes back', async (t) => {
  const stage = await openStage(t, 'keep', ['a']);
  const [device] = stage.devices as [(typeof stage.devices)[0]];
  await stage.release({ version: 'v1' });
  t.is((await stage.rollout('v1')).code, 0);
  const [before] = await device.json<LocalContainer[]>(['ps']);
  process.kill(keeperOf(device.root), 'SIGKILL');
  const after = await until('the workload is back', 30_000, async () => {
    const [container] = await device.json<LocalContainer[]>(['ps']);
    return container?.state === 'running' && container.pid !== before?.pid ? container : undefined;
  });
  await stage.answers(device, 'hello from v1');
  t.false(isAlive(before?.pid ?? 0), 'the old process is gone');
  t.true(isAlive(after.pid));
});

fault('a crash loop is restarted with pauses, and its count is seen', async (t) => {
  const stage = await openStage(t, 'loop', ['a']);
  const [device] = stage.devices as [(typeof stage.devices)[0]];
  await stage.release({ version: 'v1' }, { bake: '0s' });
  t.is((await stage.rollout('v1')).code, 0);
  for (let round = 0; round < 3; round += 1) {
    const [container] = await device.json<LocalContainer[]>(['ps']);
    process.kill(container?.pid ?? 0, 'SIGKILL');
    await until('it runs again', 30_000, async () => {
      const [again] = await device.json<LocalContainer[]>(['ps']);
      return again?.state === 'running' && again.pid !== container?.pid ? true : undefined;
    });
  }
  const [container] = await device.json<LocalContainer[]>(['ps']);
  t.is(container?.restartCount, 3);
});

function keeperOf(root: string): number {
  const pid = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .find((name) => {
      try {
        const line = readFileSync(`/proc/${name}/cmdline`, 'utf8');
        return line.includes('wherry-keep') && line.includes(root);
      } catch {
        return false; // it ended while we looked
      }
    });
  return Number(pid);
}

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
