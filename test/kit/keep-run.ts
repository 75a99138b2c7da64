// SPDX-License-Identifier: Apache-2.0
// A real wherry-keep around a real container in a temp folder: start it, ask it, wait for its status, and clear
// everything away. Uses the runtime of WHERRY_TEST_RUNTIME, else wherry-run where it is built, else runc.

import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { run, startDetached } from '../../adapters/exec.js';
import { nativeProgram } from '../../adapters/places.js';
import { type KeepPlan, type KeepStatus, keepPlan, keepStatus } from '../../protocol/keeper.js';
import { removeCgroups, writeBundle } from './keep-bundle.js';
import { slowness } from './slowness.js';

export const waitMsMax = 15_000 * slowness;

export interface Exit {
  readonly code: number;
  readonly signal?: number;
  readonly oomKilled: boolean;
  readonly at: string;
  readonly startedAt: string;
}

export interface KeptOptions {
  readonly args: readonly string[];
  readonly plan?: Partial<KeepPlan>;
  readonly memoryBytesMax?: number;
}

export interface Kept {
  readonly folder: string;
  readonly plan: KeepPlan;
  readonly planPath: string;
  /** Starts a keeper for the plan; its stderr goes to keep.err. */
  start(): Promise<number>;
  status(): KeepStatus | undefined;
  /** Waits for a status; fails the test with the last one past waitMsMax. */
  until(what: string, met: (status: KeepStatus) => boolean): Promise<KeepStatus>;
  ask(request: object | string): Promise<Record<string, unknown> | undefined>;
  exits(): Exit[];
  /** Lines of the log files, oldest first: [stream, tag, text]. */
  lines(log?: KeepPlan['log']): Array<[string, string, string]>;
  errors(): string;
  runtime(...args: string[]): Promise<string>;
}

function chooseRuntime(): string {
  const named = process.env['WHERRY_TEST_RUNTIME'];
  if (named !== undefined) return named;
  try {
    return nativeProgram('wherry-run');
  } catch {
    return '/usr/sbin/runc'; // the native programs are not built: Debian's runtime has the same verbs
  }
}

export function planOf(folder: string, id: string, changed: Partial<KeepPlan>): KeepPlan {
  return keepPlan(
    {
      id,
      bundle: join(folder, 'bundle'),
      runtime: chooseRuntime(),
      runtimeRoot: join(folder, 'runtime'),
      runDir: join(folder, 'run'),
      stateDir: join(folder, 'state'),
      log: { dir: join(folder, 'log'), fileBytesMax: 1024 * 1024, fileCountMax: 3 },
      restart: { policy: 'no', retryCountMax: 0, backoffMs: 100, backoffMaxMs: 60_000 },
      stop: { signal: 'SIGTERM', graceMs: 3000 },
      ...changed,
    },
    'plan',
  );
}

export async function aKept(t: ExecutionContext, options: KeptOptions): Promise<Kept> {
  const folder = mkdtempSync(join(tmpdir(), 'wherry-keep-'));
  const id = `keep-${randomBytes(4).toString('hex')}`;
  const cgroup = `/wherry-test-${id}`;
  const plan = planOf(folder, id, options.plan ?? {});
  const planPath = join(folder, 'keep.json');
  const { args, memoryBytesMax } = options;
  writeBundle(join(folder, 'bundle'), {
    args,
    cgroupsPath: `${cgroup}/${id}`,
    ...(memoryBytesMax === undefined ? {} : { memoryBytesMax }),
  });
  await mkdir(plan.runtimeRoot, { recursive: true });
  await writeFile(planPath, JSON.stringify(plan));
  const started: number[] = [];
  t.teardown(async () => {
    for (const pid of started) await endKeeper(pid);
    await run(plan.runtime, ['--root', plan.runtimeRoot, 'delete', '--force', id]);
    removeCgroups(cgroup);
    rmSync(folder, { recursive: true, force: true });
  });
  return keptOf({ folder, plan, planPath, started });
}

interface Parts {
  readonly folder: string;
  readonly plan: KeepPlan;
  readonly planPath: string;
  readonly started: number[];
}

function keptOf({ folder, plan, planPath, started }: Parts): Kept {
  const errorsPath = join(folder, 'keep.err');
  const status = (): KeepStatus | undefined => readStatus(join(plan.runDir, 'status.json'));
  return {
    folder,
    plan,
    planPath,
    async start() {
      const stderrFd = openSync(errorsPath, 'a');
      const pid = await startDetached(nativeProgram('wherry-keep'), [planPath], { stderrFd });
      closeSync(stderrFd);
      started.push(pid);
      return pid;
    },
    status,
    async until(what, met) {
      const end = Date.now() + waitMsMax;
      for (;;) {
        const seen = status();
        if (seen !== undefined && met(seen)) return seen;
        if (Date.now() > end) {
          throw new Error(`${what}: still ${JSON.stringify(seen)}; ${readText(errorsPath)}`);
        }
        await sleep(20);
      }
    },
    ask: (request) => ask(join(plan.runDir, 'keep.sock'), request),
    exits: () => jsonLines(join(plan.stateDir, 'exits.jsonl')),
    lines: (log = plan.log) => logLines(log),
    errors: () => readText(errorsPath),
    async runtime(...args) {
      const done = await run(plan.runtime, ['--root', plan.runtimeRoot, ...args]);
      return done.stdout + done.stderr;
    },
  };
}

function readText(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

function readStatus(path: string): KeepStatus | undefined {
  const text = readText(path);
  return text === '' ? undefined : keepStatus(JSON.parse(text), 'status');
}

function jsonLines(path: string): Exit[] {
  const lines = readText(path).split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Exit);
}

const logLine = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z (stdout|stderr) ([FP]) (.*)$/s;

function logLines(log: KeepPlan['log']): Array<[string, string, string]> {
  const lines: Array<[string, string, string]> = [];
  for (let number = log.fileCountMax; number >= 0; number -= 1) {
    const text = readText(join(log.dir, number === 0 ? 'current.log' : `current.log.${number}`));
    for (const line of text.split('\n').slice(0, -1)) {
      const found = logLine.exec(line);
      if (found === null) throw new Error(`not a CRI log line: ${line.slice(0, 200)}`);
      lines.push([found[1] ?? '', found[2] ?? '', found[3] ?? '']);
    }
  }
  return lines;
}

/** One request, one answer; undefined where the keeper closes without one. */
export async function ask(
  path: string,
  request: object | string,
): Promise<Record<string, unknown> | undefined> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(path);
    socket.setTimeout(waitMsMax, () => socket.destroy(new Error('no answer')));
    socket.once('error', reject);
    socket.on('data', (bytes: Buffer) => {
      answer += bytes.toString('utf8');
    });
    socket.once('close', () => {
      resolve(answer === '' ? undefined : (JSON.parse(answer) as Record<string, unknown>));
    });
    socket.write(typeof request === 'string' ? request : `${JSON.stringify(request)}\n`);
  });
}

export function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const stat = readText(`/proc/${pid}/stat`);
  return stat !== '' && !/\) [ZX] /.test(stat);
}

export async function untilGone(pid: number): Promise<boolean> {
  for (const end = Date.now() + waitMsMax; Date.now() < end; ) {
    if (!alive(pid)) return true;
    await sleep(20);
  }
  return false;
}

async function endKeeper(pid: number): Promise<void> {
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  if (!command.includes('wherry-keep')) return;
  process.kill(pid, 'SIGTERM');
  if (!(await untilGone(pid))) process.kill(pid, 'SIGKILL');
}
