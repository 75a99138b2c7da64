// SPDX-License-Identifier: Apache-2.0
// Runs our own programs as a user would, in a network namespace, and keeps the long ones' output in a file.

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectFolder } from '../../../adapters/places.js';

const programs = {
  wherry: 'agent/local/main.js',
  wherryd: 'agent/main.js',
  'wherry-fleet': 'fleet/main.js',
  'wherry-image': 'images/cli/main.js',
  'wherry-provision': 'provisioning/main.js',
} as const;
export type ProgramName = keyof typeof programs;

export interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The launch line of docs/operate/install.md: what keeps the agent small. */
const agentFlags = ['--max-semi-space-size=1', '--max-old-space-size=64'];
const agentEnv = { MALLOC_ARENA_MAX: '1', UV_THREADPOOL_SIZE: '2', TZ: 'UTC' };

export function commandLine(name: ProgramName, args: readonly string[], netns?: string): string[] {
  const bundle = process.env['WHERRY_BUNDLE']; // the bench measures what a device runs
  if (bundle !== undefined && name === 'wherryd')
    return inNetns([join(bundle, 'bin', name), ...args], netns);
  const dist = process.env['WHERRY_DIST'] ?? 'dist';
  const script = join(projectFolder(), dist, programs[name]);
  const node = [process.execPath, ...(name === 'wherryd' ? agentFlags : []), script, ...args];
  return inNetns(node, netns);
}

function inNetns(line: readonly string[], netns: string | undefined): string[] {
  return netns === undefined ? [...line] : ['nsenter', `--net=/run/netns/${netns}`, ...line];
}

export async function runIn(
  netns: string | undefined,
  line: readonly string[],
  options: { timeoutMs?: number; input?: string } = {},
): Promise<Output> {
  return finished(inNetns(line, netns), options);
}

export async function runProgram(
  name: ProgramName,
  args: readonly string[],
  options: { netns?: string; timeoutMs?: number } = {},
): Promise<Output> {
  return finished(commandLine(name, args, options.netns), options);
}

async function finished(
  line: readonly string[],
  options: { timeoutMs?: number; input?: string },
): Promise<Output> {
  const [program, ...args] = line;
  const child = spawn(program ?? '', args, {
    stdio: 'pipe',
    timeout: options.timeoutMs ?? 60_000,
    killSignal: 'SIGKILL',
  });
  child.stdin.on('error', () => undefined); // it may not read its input
  child.stdin.end(options.input ?? '');
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => resolve(status ?? 137));
  });
  return { code, stdout, stderr };
}

export interface Daemon {
  readonly pid: number;
  /** All it has said so far. */
  output(): string;
  /** Waits for a line; throws with the output if it ends first or takes longer. */
  waitFor(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>;
  kill(signal: NodeJS.Signals): Promise<void>;
}

export function startProgram(
  name: ProgramName,
  args: readonly string[],
  options: { netns?: string; logFile: string },
): Daemon {
  const [program, ...rest] = commandLine(name, args, options.netns);
  const fd = openSync(options.logFile, 'a');
  const from = readFileSync(options.logFile, 'utf8').length;
  const child = spawn(program ?? '', rest, {
    stdio: ['ignore', fd, fd],
    env: { ...process.env, ...(name === 'wherryd' ? agentEnv : {}) },
  });
  closeSync(fd);
  return daemonOf(child, () => readFileSync(options.logFile, 'utf8').slice(from), name);
}

function daemonOf(child: ChildProcess, output: () => string, name: string): Daemon {
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
    child.once('error', () => resolve());
  });
  return {
    pid: child.pid ?? 0,
    output,
    waitFor: (pattern, timeoutMs = 20_000) =>
      until(`${name} says ${pattern}`, timeoutMs, () => {
        const found = pattern.exec(output());
        if (found === null && child.exitCode !== null) {
          throw new Error(`${name} ended with ${child.exitCode}:\n${output().slice(-4000)}`);
        }
        return found ?? undefined;
      }),
    kill: async (signal) => {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      await ended;
    },
  };
}

/** Asks again and again until there is an answer; throws with `what` past the time. */
export async function until<T>(
  what: string,
  timeoutMs: number,
  ask: () => Promise<T | undefined> | T | undefined,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
