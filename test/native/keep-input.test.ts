// SPDX-License-Identifier: Apache-2.0
// What wherry-keep refuses: plans that are not acceptable, requests that are hostile, clients that are slow.
// runs: host, lab

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { run } from '../../adapters/exec.js';
import { nativeError } from '../../adapters/native.js';
import { nativeProgram } from '../../adapters/places.js';
import { keepRefusal } from '../../protocol/keeper.js';
import { aKept, planOf, untilGone, waitMsMax } from '../kit/keep-run.js';
import { needsBeside } from '../kit/needs.js';

const rooted = needsBeside(['root', 'busybox']);

async function refused(t: ExecutionContext, text: string, allowed: RegExp): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'wherry-keep-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'keep.json');
  writeFileSync(path, text.replaceAll('FOLDER', folder));
  const done = await run(nativeProgram('wherry-keep'), [path], { timeoutMs: 5000 });
  t.is(done.code, 1, text.slice(0, 80));
  const error = nativeError('wherry-keep', done.code, done.stderr);
  t.is(error.code, 'BOX_SPEC');
  t.regex(error.message, allowed);
  t.deepEqual(readdirSync(folder), ['keep.json'], 'nothing is made for a bad plan');
}

const good = planOf('FOLDER', 'web', {});
const health = {
  ...{ test: ['true'], intervalMs: 1, timeoutMs: 1, retryCountMax: 1 },
  ...{ startPeriodMs: 0, startIntervalMs: 0 },
};

const bad: ReadonlyArray<readonly [string, object, RegExp]> = [
  ['no id', { id: undefined }, /keep\.json: id: must be there/],
  ['an id that leads away', { id: '../x' }, /keep\.json: id: must be 1 to 128 of letters/],
  ['an unknown field', { memory: 1 }, /keep\.json: memory: is not a known field/],
  ['a relative bundle', { bundle: 'b' }, /keep\.json: bundle: must be an absolute path/],
  ['a number as a path', { runDir: 7 }, /keep\.json: runDir: must be a string/],
  ['a path that is too long', { stateDir: `/${'x'.repeat(1024)}` }, /stateDir: must have at most/],
  ['a log too small', { log: { ...good.log, fileBytesMax: 4095 } }, /log: fileBytesMax: must be/],
  ['a log without count', { log: { ...good.log, fileCountMax: undefined } }, /log: fileCountMax:/],
  ['an unknown policy', { restart: { ...good.restart, policy: 'maybe' } }, /restart: policy: must/],
  ['a negative pause', { restart: { ...good.restart, backoffMs: -1 } }, /restart: backoffMs: must/],
  ['a fraction', { stop: { ...good.stop, graceMs: 0.5 } }, /stop: graceMs: must be a whole number/],
  ['a signal that is none', { stop: { signal: 'SIGFOO', graceMs: 1 } }, /stop: signal: SIGFOO/],
  ['an empty test', { health: { ...health, test: [] } }, /health: test: must have 1 to 64 words/],
  ['a test of numbers', { health: { ...health, test: [1] } }, /health: test: must be a list of/],
  ['an extra field in health', { health: { ...health, url: 'x' } }, /health: url: is not a known/],
];

for (const [what, changed, allowed] of bad) {
  test(`A plan with ${what} is refused with BOX_SPEC and the field`, async (t) => {
    await refused(t, JSON.stringify({ ...good, ...changed }), allowed);
  });
}

test('A plan that is no plain JSON is refused with BOX_SPEC and the line', async (t) => {
  await refused(t, '', /keep\.json: line 1: the document ends too early/);
  await refused(t, '[]', /keep\.json: must be an object/);
  await refused(t, '{\n"id": "a",\n"id": "b"}', /keep\.json: line 3: key "id" twice/);
  await refused(t, '['.repeat(100_000), /keep\.json: line 1: nested too deeply/);
  await refused(t, '{"id":"a\\u0000b"}', /u0000 is not allowed/);
});

test('A plan that is not there, and a missing argument, each have their code', async (t) => {
  const program = nativeProgram('wherry-keep');
  const absent = await run(program, ['/nonexistent/keep.json']);
  t.is(nativeError('wherry-keep', absent.code, absent.stderr).code, 'BOX_SPEC');
  const none = await run(program, []);
  t.is(none.code, 2);
  t.is(nativeError('wherry-keep', none.code, none.stderr).code, 'USAGE');
  const help = await run(program, ['--help']);
  t.is(help.code, 0);
  t.regex(help.stdout, /^Usage: wherry-keep PLAN\.json/);
});

rooted('A runtime that is not there makes it failed, and says so', async (t) => {
  const kept = await aKept(t, { args: ['sleep', '100'], plan: {} });
  writeFileSync(kept.planPath, JSON.stringify({ ...kept.plan, runtime: '/nonexistent/run' }));
  const keeper = await kept.start();
  const status = await kept.until('failed', ({ state }) => state === 'failed');
  t.regex(status.error?.message ?? '', /cannot execute \/nonexistent\/run/);
  await kept.ask({ op: 'end' });
  t.true(await untilGone(keeper));
});

rooted('Hostile requests are refused or dropped, and the keeper answers on', async (t) => {
  const plan = { stop: { signal: 'SIGKILL', graceMs: 1000 } };
  const kept = await aKept(t, { args: ['sleep', '100'], plan });
  await kept.start();
  await kept.until('running', ({ state }) => state === 'running');
  const refusal = async (request: object | string): Promise<string> =>
    keepRefusal(await kept.ask(request), 'answer').error.code;
  t.is(await refusal({ op: 'end' }), 'BOX_STATE', 'end is refused while running');
  t.is(await refusal({ op: 'fly' }), 'BOX_SPEC');
  t.is(await refusal({ op: 'stop', graceMs: -1 }), 'BOX_SPEC');
  t.is(await refusal('[]\n'), 'BOX_SPEC');
  t.is(await refusal('\n'), 'BOX_SPEC');
  t.is(await refusal('{"op":"status","op":"stop"}\n'), 'BOX_SPEC');
  const long = await kept.ask('x'.repeat(8192)).catch(() => undefined);
  t.is(long, undefined, 'too long: dropped');
  t.is((await kept.ask({ op: 'status' }))?.['state'], 'running');
});

rooted('Clients that send nothing hold at most eight places, and lose them', async (t) => {
  const plan = { stop: { signal: 'SIGKILL', graceMs: 1000 } };
  const kept = await aKept(t, { args: ['sleep', '100'], plan });
  await kept.start();
  await kept.until('running', ({ state }) => state === 'running');
  const path = join(kept.plan.runDir, 'keep.sock');
  const closed: Array<Promise<void>> = [];
  const silent: Socket[] = [];
  for (let count = 0; count < 8; count += 1) {
    const socket = connect(path);
    silent.push(socket);
    await new Promise((resolve) => socket.once('connect', resolve));
    socket.resume();
    closed.push(new Promise((resolve) => socket.once('close', () => resolve())));
  }
  const ninth = await kept.ask({ op: 'status' }).catch(() => undefined);
  t.is(ninth, undefined, 'there is no ninth place');
  const late = sleep(waitMsMax, 'late', { ref: false });
  t.not(await Promise.race([Promise.all(closed), late]), 'late');
  t.is((await kept.ask({ op: 'status' }))?.['state'], 'running');
});
