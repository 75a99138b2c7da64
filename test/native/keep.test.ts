// SPDX-License-Identifier: Apache-2.0
// wherry-keep's life cycle with real containers: exits on record, restart policies, stop, take-over, refusals.
// runs: host, lab

import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from '../../adapters/exec.js';
import { nativeProgram } from '../../adapters/places.js';
import { aKept, alive, untilGone } from '../kit/keep-run.js';
import { needsBeside } from '../kit/needs.js';

const rooted = needsBeside(['root', 'busybox']);

/** For programs that ignore SIGTERM as their namespace's init does. */
const stop = { signal: 'SIGKILL', graceMs: 1000 };
const restart = { retryCountMax: 0, backoffMs: 50, backoffMaxMs: 60_000 };

rooted(
  'An exit is on record with its code, the policy no leaves it exited, and end ends the keeper',
  async (t) => {
    const kept = await aKept(t, { args: ['sh', '-c', 'echo out; echo err >&2; exit 7'] });
    const pid = await kept.start();
    const status = await kept.until('exited', ({ state }) => state === 'exited');
    t.is(status.exit?.code, 7);
    t.is(status.exit?.signal, undefined);
    t.is(status.pid, 0);
    t.is(status.restartCount, 0);
    t.is(status.health, 'none');
    t.deepEqual(
      kept.exits().map(({ code, oomKilled }) => ({ code, oomKilled })),
      [{ code: 7, oomKilled: false }],
    );
    t.deepEqual(kept.lines().sort(), [
      ['stderr', 'F', 'err'],
      ['stdout', 'F', 'out'],
    ]);
    t.regex(await kept.runtime('state', kept.plan.id), /does not exist|no such|absent/i);
    t.is((await kept.ask({ op: 'end' }))?.['state'], 'exited');
    t.true(await untilGone(pid));
    t.deepEqual(readdirSync(kept.plan.runDir), ['status.json']);
  },
);

rooted('A signal that ends the container is on record as 128 and its number', async (t) => {
  const kept = await aKept(t, { args: ['sleep', '100'] });
  await kept.start();
  const { pid } = await kept.until('running', ({ state }) => state === 'running');
  process.kill(pid, 'SIGKILL');
  const { exit } = await kept.until('exited', ({ state }) => state === 'exited');
  t.deepEqual([exit?.code, exit?.signal, exit?.oomKilled], [137, 9, false]);
  t.is(kept.exits()[0]?.signal, 9);
});

rooted(
  'A container that the kernel killed for want of memory is on record as oomKilled',
  async (t) => {
    const kept = await aKept(t, {
      args: ['tail', '/dev/zero'],
      memoryBytesMax: 16 * 1024 * 1024,
    });
    await kept.start();
    const { exit } = await kept.until('exited', ({ state }) => state === 'exited');
    t.deepEqual([exit?.code, exit?.signal, exit?.oomKilled], [137, 9, true]);
    t.true(kept.exits()[0]?.oomKilled);
  },
);

rooted('on-failure restarts as often as allowed, with a pause that doubles', async (t) => {
  const plan = { restart: { ...restart, policy: 'on-failure' as const, retryCountMax: 4 } };
  const kept = await aKept(t, { args: ['sh', '-c', 'exit 3'], plan });
  await kept.start();
  const status = await kept.until('exited', ({ state }) => state === 'exited');
  t.is(status.restartCount, 4);
  const exits = kept.exits();
  t.is(exits.length, 5);
  const pauses = exits
    .slice(1)
    .map((exit, index) => Date.parse(exit.startedAt) - Date.parse(exits[index]?.at ?? ''));
  t.true((pauses[3] ?? 0) >= 400, `the fourth pause is 8 × 50 ms: ${pauses.join(', ')}`);
  t.true((pauses[0] ?? 0) < (pauses[3] ?? 0), pauses.join(', '));
});

rooted('on-failure leaves a container alone that ended well', async (t) => {
  const plan = { restart: { ...restart, policy: 'on-failure' as const } };
  const kept = await aKept(t, { args: ['sh', '-c', 'exit 0'], plan });
  await kept.start();
  const status = await kept.until('exited', ({ state }) => state === 'exited');
  t.is(status.restartCount, 0);
});

for (const policy of ['always', 'unless-stopped'] as const) {
  rooted(`${policy} restarts a container that ended well, until it is stopped`, async (t) => {
    const kept = await aKept(t, {
      args: ['sh', '-c', 'echo run; sleep 0.1'],
      plan: { restart: { ...restart, policy, backoffMaxMs: 50 } },
    });
    const pid = await kept.start();
    await kept.until('restarted', ({ restartCount }) => restartCount >= 2);
    const answer = await kept.ask({ op: 'stop', graceMs: 1000 });
    t.is(answer?.['state'], 'exited');
    t.true(await untilGone(pid));
    const count = kept.exits().length;
    t.true(count >= 2);
    t.is(kept.status()?.state, 'exited');
    t.deepEqual(readdirSync(kept.plan.runDir), ['status.json']);
  });
}

rooted('stop sends the signal of the plan and answers when the container is gone', async (t) => {
  const plan = { stop: { signal: 'SIGUSR1', graceMs: 10_000 } };
  const script = 'trap "echo bye; exit 5" USR1; echo up; while :; do sleep 0.05; done';
  const kept = await aKept(t, { args: ['sh', '-c', script], plan });
  await kept.start();
  const { pid } = await kept.until('running', ({ state }) => state === 'running');
  while (kept.lines().length === 0) await sleep(20);
  const answer = await kept.ask({ op: 'stop' });
  t.is(answer?.['state'], 'exited');
  t.deepEqual(kept.exits()[0]?.code, 5);
  t.false(alive(pid));
  t.deepEqual(kept.lines().at(-1), ['stdout', 'F', 'bye']);
});

rooted('A program that ignores the stop signal is killed after the grace', async (t) => {
  const script = 'trap "" TERM; echo up; while :; do sleep 0.05; done';
  const kept = await aKept(t, { args: ['sh', '-c', script] });
  const keeper = await kept.start();
  await kept.until('running', ({ state }) => state === 'running');
  while (kept.lines().length === 0) await sleep(20);
  const began = Date.now();
  const answer = await kept.ask({ op: 'stop', graceMs: 500 });
  t.true(Date.now() - began >= 500);
  t.is(answer?.['state'], 'exited');
  t.is(kept.exits()[0]?.signal, 9);
  t.true(await untilGone(keeper));
});

rooted('SIGTERM to the keeper stops the container and leaves nothing', async (t) => {
  const kept = await aKept(t, {
    args: ['sleep', '100'],
    plan: {
      restart: { ...restart, policy: 'always' },
      stop,
    },
  });
  const keeper = await kept.start();
  const { pid } = await kept.until('running', ({ state }) => state === 'running');
  process.kill(keeper, 'SIGTERM');
  t.true(await untilGone(keeper));
  t.false(alive(pid));
  t.deepEqual(readdirSync(kept.plan.runDir), ['status.json']);
  t.is(kept.status()?.state, 'exited');
});

rooted('A second keeper for the same container is refused and touches nothing', async (t) => {
  const kept = await aKept(t, { args: ['sleep', '100'], plan: { stop } });
  await kept.start();
  const before = await kept.until('running', ({ state }) => state === 'running');
  const second = await run(nativeProgram('wherry-keep'), [kept.planPath], {
    timeoutMs: 5000,
  });
  t.is(second.code, 1);
  t.is((JSON.parse(second.stderr) as { code: string }).code, 'BOX_KEEP');
  t.deepEqual(kept.status(), before);
  t.is((await kept.ask({ op: 'status' }))?.['state'], 'running');
});

rooted(
  'After a kill -9 of the keeper the next one ends the old container and starts anew',
  async (t) => {
    const kept = await aKept(t, { args: ['sleep', '100'], plan: { stop } });
    const first = await kept.start();
    const old = await kept.until('running', ({ state }) => state === 'running');
    process.kill(first, 'SIGKILL');
    t.true(await untilGone(first));
    t.true(alive(old.pid), 'the container goes on without its keeper');
    const second = await kept.start();
    const now = await kept.until('running anew', ({ state, keeperPid }) => {
      return state === 'running' && keeperPid === second;
    });
    t.not(now.pid, old.pid);
    t.false(alive(old.pid), 'no orphan stays');
    t.deepEqual(
      kept.exits().map(({ code, signal }) => [code, signal]),
      [[137, 9]],
    );
  },
);

rooted('A command that is not there makes it failed with the error of the runtime', async (t) => {
  const kept = await aKept(t, { args: ['/bin/none'] });
  const keeper = await kept.start();
  const status = await kept.until('failed', ({ state }) => state === 'failed');
  t.regex(status.error?.code ?? '', /^BOX_/);
  t.regex(status.error?.message ?? '', /none/);
  t.is((await kept.ask({ op: 'stop' }))?.['state'], 'exited');
  t.true(await untilGone(keeper));
});

rooted('With always a failed start is tried again, and works once its cause is gone', async (t) => {
  const plan = { restart: { ...restart, policy: 'always' as const, backoffMaxMs: 200 } };
  const kept = await aKept(t, { args: ['/tmp/late', '60'], plan });
  await kept.start();
  await kept.until('failed', ({ state }) => state === 'failed');
  await kept.until('tried again', ({ restartCount }) => restartCount >= 2);
  const program = join(kept.folder, 'bundle/rootfs/tmp/late');
  writeFileSync(program, '#!/bin/sh\nexec sleep "$1"\n', { mode: 0o755 });
  const status = await kept.until('running', ({ state }) => state === 'running');
  t.is(status.error, undefined);
});
