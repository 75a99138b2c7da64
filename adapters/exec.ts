// SPDX-License-Identifier: Apache-2.0
// Runs another program: no shell, bounded output, ended with the signal's abort. `run` gathers the output of
// something short; `start` hands out the streams of something long and a promise of its end.

import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';

export const outputBytesMax = 1024 * 1024;

export interface Finished {
  /** Exit code; 128 + signal number where a signal ended it. */
  readonly code: number;
  readonly stdout: string;
  /** The first `outputBytesMax` bytes; the rest is read and dropped. */
  readonly stderr: string;
}

export interface ExecOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string | Uint8Array;
  /** Killed with SIGKILL past it. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** Resolves whatever the exit code is; rejects only where the program cannot be started or is aborted. */
export async function run(
  program: string,
  args: readonly string[],
  options: ExecOptions = {},
): Promise<Finished> {
  const child = startChild(program, args, options);
  child.stdin?.on('error', () => undefined); // it may end before it has read all
  child.stdin?.end(options.input ?? '');
  const [stdout, stderr, code] = await Promise.all([
    gather(child.stdout as Readable),
    gather(child.stderr as Readable),
    ended(child),
  ]);
  return { code, stdout, stderr };
}

export interface Started {
  readonly pid: number;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** The exit code, as in Finished. */
  readonly ended: Promise<number>;
  kill(signal?: NodeJS.Signals): void;
}

export function start(
  program: string,
  args: readonly string[],
  options: ExecOptions = {},
): Started {
  const child = startChild(program, args, options);
  return {
    pid: child.pid ?? 0,
    stdin: child.stdin as Writable,
    stdout: child.stdout as Readable,
    stderr: child.stderr as Readable,
    ended: ended(child),
    kill: (signal = 'SIGTERM') => {
      child.kill(signal);
    },
  };
}

/** Starts a program that outlives us: its own session, no pipes to us. Resolves with its pid once it runs. */
export async function startDetached(
  program: string,
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; stderrFd?: number } = {},
): Promise<number> {
  const child = spawn(program, [...args], {
    detached: true,
    stdio: ['ignore', 'ignore', options.stderrFd ?? 'ignore'],
    ...(options.env === undefined ? {} : { env: options.env }),
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  child.unref();
  return child.pid ?? 0;
}

/** Runs a program on our own terminal and waits for it: `wherry exec -t`. `stdin: 'ignore'` gives it /dev/null to read. */
export async function runAttached(
  program: string,
  args: readonly string[],
  options: { stdin?: 'inherit' | 'ignore' } = {},
): Promise<number> {
  const stdin = options.stdin ?? 'inherit';
  return ended(spawn(program, [...args], { stdio: [stdin, 'inherit', 'inherit'] }));
}

function startChild(program: string, args: readonly string[], options: ExecOptions): ChildProcess {
  return spawn(program, [...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...(options.timeoutMs === undefined
      ? {}
      : { timeout: options.timeoutMs, killSignal: 'SIGKILL' }),
  });
}

async function ended(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      resolve(code ?? 128 + (signal === 'SIGKILL' ? 9 : 15));
    });
  });
}

async function gather(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    if (length < outputBytesMax) chunks.push(chunk.subarray(0, outputBytesMax - length));
    length += chunk.length;
  }
  return Buffer.concat(chunks).toString('utf8');
}
