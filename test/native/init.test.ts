// SPDX-License-Identifier: Apache-2.0
// wherry-init by itself, outside a container: it ends as its program ended, passes signals on, and reaps what
// nobody waits for.

import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { nativeProgram } from '../../adapters/places.js';

const program = nativeProgram('wherry-init');
const sh = (script: string): string[] => ['--', '/bin/sh', '-c', script];

function ended(args: readonly string[]): { status: number | null; err: string } {
  const { status, stderr } = spawnSync(program, args, { encoding: 'utf8', timeout: 10_000 });
  return { status, err: stderr };
}

test('It ends with the status of its program, and with 128 + signal where a signal ended it', (t) => {
  t.is(ended(sh('exit 0')).status, 0);
  t.is(ended(sh('exit 42')).status, 42);
  t.is(ended(sh('kill -KILL $$')).status, 137);
  t.is(ended(['/bin/sh', '-c', 'exit 3']).status, 3, 'the dashes may be left out');
});

test('A program that is not there is 127, one that cannot be run is 126, and none at all is a usage error', (t) => {
  t.deepEqual(ended(['--', '/nonexistent']), {
    status: 127,
    err: 'wherry-init: /nonexistent: No such file or directory\n',
  });
  t.is(ended(['--', '/etc/passwd']).status, 126);
  for (const args of [[], ['--']]) t.is(ended(args).status, 64);
});

test('Signals go on to the program, which has the mask it began with', async (t) => {
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGWINCH'] as const) {
    const word = signal.slice(3);
    const script = `trap "exit 9" ${word}; echo ready; while :; do sleep 0.02; done`;
    const child = spawn(program, sh(script), { stdio: ['ignore', 'pipe', 'ignore'] });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    child.kill(signal);
    const code = await new Promise((resolve) => child.once('close', resolve));
    t.is(code, 9, signal);
  }
});

test('Orphans come to it and are reaped while the program runs', async (t) => {
  const script = '(sleep 0.5 & echo $!); sleep 1.5';
  const child = spawn(program, sh(script), { stdio: ['ignore', 'pipe', 'ignore'] });
  const pid = Number(await new Promise((resolve) => child.stdout.once('data', resolve)));
  for (let at = 0; at < 20 && statOf(pid)?.parent !== child.pid; at += 1) await delay(20);
  t.is(statOf(pid)?.parent, child.pid);
  await delay(800);
  t.is(statOf(pid), undefined, 'not even a zombie is left');
  t.is(await new Promise((resolve) => child.once('close', resolve)), 0);
});

function statOf(pid: number): { parent: number } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return { parent: Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1]) };
  } catch {
    return undefined;
  }
}
