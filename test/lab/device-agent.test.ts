// SPDX-License-Identifier: Apache-2.0
// The whole agent on an emulated arm64 board: enrolment, pull, limits that bite, update, power cut, a boot with no
// network. With 256 MB always, with 128 MB in the full lab.
// runs: host (it starts the device)

import type { ExecutionContext } from 'ava';
import type { LocalContainer, LocalStatus } from '../../protocol/local.js';
import { type Board, openBoard, untilOnline } from '../kit/lab-agent.js';
import { isFull, labTest } from '../kit/lab-needs.js';
import { until } from '../kit/world/program.js';

labTest('a board of 256 MB enrols, runs with limits that bite, updates, and boots offline', (t) =>
  story(t, 'm256', 256),
);

labTest(
  'a board of 128 MB enrols, runs with limits that bite, updates, and boots offline',
  (t) => story(t, 'm128', 128),
  isFull,
);

async function story(t: ExecutionContext, label: string, memoryMb: number): Promise<void> {
  t.timeout(900_000);
  const board = await openBoard(t, label, { memoryMb });
  t.log(`booted in ${(await board.boot()).bootMs} ms`);
  await board.enrol();
  await board.release('v1');
  await board.rollout('v1');
  await board.answers('hello from v1');
  await limitsBite(t, board);
  await board.release('v2');
  await board.rollout('v2');
  await board.answers('hello from v2');
  t.log(await figures(board));
  await bootsOffline(t, board);
}

/** Memory, processes and CPU: in the kernel's files, and felt by what runs inside. */
async function limitsBite(t: ExecutionContext, board: Board): Promise<void> {
  const group = await groupOfWeb(board);
  const value = (name: string) => board.device().must(`cat ${group}/${name}`);
  t.is((await value('memory.max')).trim(), '33554432');
  t.is((await value('cpu.max')).trim(), '50000 100000');
  t.is((await value('pids.max')).trim(), '32');
  t.regex(await value('memory.pressure'), /^some avg10=/);

  const hog = await board
    .device()
    .run('wherry exec web dd if=/dev/zero of=/dev/null bs=48M count=1');
  t.is(hog.code, 137, hog.stderr);
  t.regex(await value('memory.events'), /^oom_kill [1-9]/m);

  const crowd = 'i=0; while [ $i -lt 40 ]; do sleep 5 & i=$((i+1)); done';
  const { stderr } = await board.device().run(`wherry exec web sh -c '${crowd}'`);
  t.regex(stderr, /fork/);

  const spin = 'i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done';
  const before = throttledIn(await value('cpu.stat'));
  await board.device().run(`wherry exec web sh -c '${spin}'`);
  t.true(throttledIn(await value('cpu.stat')) > before);

  const [web] = await containers(board);
  t.is(web?.state, 'running', 'the container itself goes on');
  t.is(web?.restartCount, 0);
}

function throttledIn(cpuStat: string): number {
  return Number(/^nr_throttled (\d+)/m.exec(cpuStat)?.[1]);
}

async function groupOfWeb(board: Board): Promise<string> {
  const [web] = await containers(board);
  const path = await board.device().must(`sed -n 's/^0:://p' /proc/${web?.pid}/cgroup`);
  return `/sys/fs/cgroup${path.trim()}`;
}

async function containers(board: Board): Promise<LocalContainer[]> {
  return JSON.parse(await board.wherry('ps --json')) as LocalContainer[];
}

async function figures(board: Board): Promise<string> {
  const agent = await board
    .device()
    .must("set -- $(pidof node); grep -E 'VmRSS|VmHWM|RssAnon' /proc/$1/status; free -m");
  return `the agent and the board:\n${agent}`;
}

/** The plug is pulled; at the next boot there is neither fleet nor cable, and the container runs all the same. */
async function bootsOffline(t: ExecutionContext, board: Board): Promise<void> {
  await board.world.fleet.stop();
  await board.device().cut();
  const device = await board.boot();
  await device.link(false);
  await board.answers('hello from v2');
  const status = JSON.parse(await board.wherry('status --json')) as LocalStatus;
  t.false(status.linked);
  t.is(status.good?.version, 'v2');
  await device.link(true);
  await board.world.fleet.start();
  await untilOnline(board.world);
  await until('the agent is linked', 60_000, async () =>
    (JSON.parse(await board.wherry('status --json')) as LocalStatus).linked ? true : undefined,
  );
  t.is(await board.answer(), 'hello from v2');
}
