// SPDX-License-Identifier: Apache-2.0
// One emulated device: boots it, runs commands in it, pulls its cable or its plug. The root disk is as new at every
// boot; only the data disk stays. Times in it say nothing about a real board: orders, counts and limits do.

import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildDevice } from './build.js';
import { type DeviceFiles, type DeviceOptions, filesIn, qemuLine } from './qemu.js';

export interface Answer {
  /** The command's own; 137 where the device went away under it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Default two minutes; past it the promise rejects, the command itself goes on. */
  readonly timeoutMs?: number;
  /** Called with all output so far, whenever there is more. */
  readonly onOutput?: (text: string) => void;
}

export interface Device {
  /** From the start of QEMU to the first command that it would take. */
  readonly bootMs: number;
  /** A line of shell, or the words of one command. */
  run(command: string | readonly string[], options?: RunOptions): Promise<Answer>;
  /** As run, but throws with all that was said where the command fails. */
  must(command: string | readonly string[], options?: RunOptions): Promise<string>;
  /** The network cable: plugged in or not. */
  link(on: boolean): Promise<void>;
  /** Pulls the plug: QEMU is killed. The data disk keeps what it had. */
  cut(): Promise<void>;
  /** Syncs and powers off; pulls the plug if that takes too long. */
  stop(): Promise<void>;
  /** Until it powers itself off. */
  ended(): Promise<void>;
  console(): string;
}

const bootMsMax = 240_000;
const runMsMax = 120_000;
const downMsMax = 30_000;
const pollMs = 20;
const monitorMsMax = 5_000;

/** Boots a device; the first time on a machine it builds it. The caller ends it with `stop` or `cut`. */
export async function openDevice(options: DeviceOptions = {}): Promise<Device> {
  const built = await buildDevice(options.arch ?? 'arm64', (line) => {
    process.stderr.write(`${line}\n`);
  });
  const folder = mkdtempSync(join(tmpdir(), 'wl-'));
  const files = filesIn(folder);
  await mkdir(files.control);
  const [program = '', ...args] = qemuLine(options, built, files);
  const startedAt = performance.now();
  const log = openSync(join(folder, 'qemu.log'), 'w');
  const child = spawn(program, args, {
    stdio: options.shell === true ? 'inherit' : ['ignore', log, log],
  });
  closeSync(log);
  const device = new RunningDevice(child, folder, files, startedAt);
  await device.booted();
  return device;
}

class RunningDevice implements Device {
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #files: DeviceFiles;
  readonly #startedAt: number;
  readonly #ended: Promise<void>;
  #isGone = false;
  #console = '';
  #port: Socket | undefined;
  bootMs = 0;

  constructor(child: ChildProcess, folder: string, files: DeviceFiles, startedAt: number) {
    this.#child = child;
    this.#folder = folder;
    this.#files = files;
    this.#startedAt = startedAt;
    this.#ended = new Promise((resolve) => {
      const end = (): void => {
        this.#isGone = true;
        this.#console = this.console();
        resolve();
      };
      child.once('close', end);
      child.once('error', end);
    });
    // A test that dies takes its devices with it.
    process.once('exit', this.#kill);
  }

  readonly #kill = (): void => {
    this.#child.kill('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  };

  async booted(): Promise<void> {
    while (!existsSync(join(this.#files.control, 'ready'))) {
      if (this.#isGone || performance.now() - this.#startedAt > bootMsMax) {
        const said = readText(join(this.#folder, 'qemu.log')) + this.console();
        await this.cut();
        throw new Error(`the device did not boot:\n${said.slice(-3000)}`);
      }
      await sleep(pollMs);
    }
    this.bootMs = Math.round(performance.now() - this.#startedAt);
    this.#port = connect(this.#files.port).on('error', () => undefined); // its end is the device's
  }

  async run(command: string | readonly string[], options: RunOptions = {}): Promise<Answer> {
    const { timeoutMs = runMsMax, onOutput } = options;
    const name = randomBytes(6).toString('hex');
    const at = (ending: string): string => join(this.#files.control, `${name}.${ending}`);
    const answer = (code: number): Answer => ({
      code,
      stdout: readText(at('out')),
      stderr: readText(at('err')),
    });
    await writeFile(
      at('sh'),
      `${typeof command === 'string' ? command : command.map(quoted).join(' ')}\n`,
    );
    this.#port?.write(`${name}\n`);
    const end = performance.now() + timeoutMs;
    let seen = 0;
    while (!existsSync(at('rc'))) {
      if (this.#isGone) return answer(137);
      if (performance.now() > end) {
        const { stdout, stderr } = answer(0);
        throw new Error(`no end after ${timeoutMs} ms: ${command}\n${stdout}${stderr}`);
      }
      const text = onOutput === undefined ? '' : readText(at('out'));
      if (text.length > seen) {
        seen = text.length;
        onOutput?.(text);
      }
      await sleep(pollMs);
    }
    const done = answer(Number(readText(at('rc'))));
    if (done.stdout.length > seen) onOutput?.(done.stdout);
    for (const ending of ['sh', 'out', 'err', 'rc']) rmSync(at(ending), { force: true });
    return done;
  }

  async must(command: string | readonly string[], options: RunOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.run(command, options);
    if (code === 0) return stdout;
    throw new Error(`in the device: ${command}\nended with ${code}:\n${stdout}${stderr}`);
  }

  async link(on: boolean): Promise<void> {
    const socket = connect(this.#files.monitor);
    await new Promise<void>((resolve, reject) => {
      let said = '';
      socket.setTimeout(monitorMsMax, () => socket.destroy(new Error('no answer of the monitor')));
      socket.once('error', reject);
      socket.on('data', (bytes: Buffer) => {
        said += bytes.toString('utf8');
        // A prompt before the order and one after it.
        if ((said.match(/\(qemu\) /g)?.length ?? 0) >= 2) resolve();
      });
      socket.write(`set_link net0 ${on ? 'on' : 'off'}\n`);
    });
    socket.destroy();
  }

  async cut(): Promise<void> {
    process.removeListener('exit', this.#kill);
    this.#child.kill('SIGKILL');
    await this.#ended;
    this.#port?.destroy();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async stop(): Promise<void> {
    this.#port?.write('down\n');
    await Promise.race([this.#ended, sleep(downMsMax, undefined, { ref: false })]);
    await this.cut();
  }

  async ended(): Promise<void> {
    await this.#ended;
  }

  console(): string {
    return this.#isGone && this.#console !== '' ? this.#console : readText(this.#files.consoleLog);
  }
}

function readText(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
