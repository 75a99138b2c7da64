// SPDX-License-Identifier: Apache-2.0
// Starts, finds and ends keepers. A keeper outlives us: it holds the container, its logs and its restarts. We
// know it by its runDir alone, so an agent that was restarted finds every one again. It decides nothing.

import { open, readFile, rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import type { Clock } from '../../adapters/clock.js';
import { makeFolder, readIfThere, writeDurable } from '../../adapters/durable.js';
import { run, startDetached } from '../../adapters/exec.js';
import { nativeError } from '../../adapters/native.js';
import { nativeProgram, type Places } from '../../adapters/places.js';
import { isCode } from '../../protocol/codes.js';
import type { Logging } from '../../protocol/content.js';
import { CodedError } from '../../protocol/error.js';
import { type KeepPlan, type KeepStatus, keepPlan } from '../../protocol/keeper.js';
import { folderOf, type Layout, layoutOf, runDirOf, runtimeRootOf } from './layout.js';
import type { ContainerRecord } from './record.js';
import { isFinal, isKept, readStatus } from './status.js';

/** From the keeper's start to the container's; a cold SD card needs seconds. */
const startTimeoutMs = 60_000;
/** Beyond the grace: SIGKILL, unmount, the last fsync. */
const stopMarginMs = 15_000;
const pollMs = 20;
const pollMsMax = 250;
/** From its last answer, or a SIGKILL, to its end. */
const endTimeoutMs = 5000;
const answerBytesMax = 4096;
const errorBytesMax = 16 * 1024;
const runtimeTimeoutMs = 30_000;

export const logFileBytesMax = 1024 * 1024;
export const logFileCountMax = 3;
/** With logging none: the last words only, and in memory. */
const noLogBytesMax = 4096;
/** Docker's: doubled from the first to the last. */
const backoffMs = 100;
const backoffMsMax = 60_000;

export function keepPlanOf(places: Places, layout: Layout, record: ContainerRecord): KeepPlan {
  return keepPlan(
    {
      id: record.id,
      bundle: layout.bundle,
      runtime: nativeProgram('wherry-run'),
      runtimeRoot: runtimeRootOf(places),
      runDir: runDirOf(places, record.id),
      stateDir: layout.folder,
      log: logOf(layout, runDirOf(places, record.id), record.workload.logging),
      restart: { ...record.workload.restart, backoffMs, backoffMaxMs: backoffMsMax },
      stop: { signal: record.stopSignal, graceMs: record.workload.stopGraceMs },
      ...(record.health === null ? {} : { health: record.health }),
    },
    'keep',
  );
}

function logOf(layout: Layout, runDir: string, logging: Logging | undefined): KeepPlan['log'] {
  if (logging?.driver === 'none') {
    return { dir: join(runDir, 'log'), fileBytesMax: noLogBytesMax, fileCountMax: 1 };
  }
  const { fileBytesMax = logFileBytesMax, fileCountMax = logFileCountMax } = logging ?? {};
  return { dir: layout.logs, fileBytesMax, fileCountMax };
}

/** Starts the keeper of a container that has none, and waits for its first word. @throws RUN_*, BOX_* */
export async function startKeeper(
  places: Places,
  record: ContainerRecord,
  clock: Clock,
): Promise<void> {
  const layout = layoutOf(folderOf(places, record.id));
  const plan = keepPlanOf(places, layout, record);
  await makeFolder(plan.runDir, 0o700);
  await makeFolder(plan.log.dir);
  await rm(join(plan.runDir, 'status.json'), { force: true }); // the last word of an earlier keeper
  await makeFolder(plan.runtimeRoot, 0o700);
  await writeDurable(layout.keepPlan, `${JSON.stringify(plan)}\n`);
  const errors = await open(layout.keeperErrors, 'w', 0o600);
  let pid: number;
  try {
    pid = await startDetached(nativeProgram('wherry-keep'), [layout.keepPlan], {
      stderrFd: errors.fd,
    });
  } catch (error) {
    throw new CodedError(
      'RUN_KEEPER',
      `wherry-keep cannot be started for ${record.id}`,
      { container: record.id },
      { cause: error },
    );
  } finally {
    await errors.close();
  }
  await waitStarted(record.id, plan.runDir, pid, layout, clock);
}

async function waitStarted(
  id: string,
  runDir: string,
  pid: number,
  layout: Layout,
  clock: Clock,
): Promise<void> {
  const status = await waitFor(clock, startTimeoutMs, async () => {
    const now = await readStatus(runDir);
    if (now !== undefined && now.state !== 'created' && now.state !== 'starting') return now;
    if (isAlive(pid) || (await isKept(runDir))) return undefined;
    const last = await readStatus(runDir); // its last word may have come in between
    if (last !== undefined && isFinal(last)) return last;
    throw nativeError('wherry-keep', 1, await errorText(layout));
  });
  if (status === undefined) {
    throw new CodedError(
      'RUN_KEEPER',
      `the keeper of ${id} did not get it running within ${startTimeoutMs / 1000} s`,
      { container: id, folder: layout.folder },
    );
  }
  // `restarting` with a failure behind it: the keeper goes on trying, the caller hears why.
  if (status.error !== undefined && status.state !== 'running') throw failure(id, status);
}

function failure(id: string, status: KeepStatus): CodedError {
  const { code = '', message = 'it did not say why' } = status.error ?? {};
  return new CodedError(isCode(code) ? code : 'RUN_START', `container ${id}: ${message}`, {
    container: id,
  });
}

/** Ends container and keeper; a keeper that does not answer is ended by force. @throws RUN_KEEPER, BOX_* */
export async function stopKeeper(
  places: Places,
  id: string,
  graceMs: number,
  clock: Clock,
): Promise<void> {
  const runDir = runDirOf(places, id);
  if (await isKept(runDir)) {
    const status = await readStatus(runDir);
    const answered = await askStop(runDir, graceMs);
    const gone = await waitFor(clock, answered ? endTimeoutMs : 0, async () =>
      (await isKept(runDir)) ? undefined : true,
    );
    if (gone === undefined) await killKeeper(id, status?.keeperPid ?? 0, runDir, clock);
    if (gone === undefined || !answered) await forceDelete(places, id);
  } else {
    await forceDelete(places, id); // what a killed keeper may have left running
  }
  await rm(runDir, { recursive: true, force: true });
}

/** INVARIANT: only a process whose command line is that of a keeper is killed: pids are used again. */
async function killKeeper(id: string, pid: number, runDir: string, clock: Clock): Promise<void> {
  const command = pid > 1 ? await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '') : '';
  if (command.includes('wherry-keep')) process.kill(pid, 'SIGKILL');
  const gone = await waitFor(clock, endTimeoutMs, async () =>
    (await isKept(runDir)) ? undefined : true,
  );
  if (gone !== undefined) return;
  throw new CodedError('RUN_KEEPER', `the keeper of ${id} does not end`, { container: id, pid });
}

/** `wherry-run delete --force`: fine where there is no such container. @throws BOX_* */
export async function forceDelete(places: Places, id: string): Promise<void> {
  const done = await run(
    nativeProgram('wherry-run'),
    ['--root', runtimeRootOf(places), '--log-format', 'json', 'delete', '--force', id],
    { timeoutMs: runtimeTimeoutMs },
  );
  if (done.code === 0) return;
  const error = nativeError('wherry-run', done.code, done.stderr);
  if (error.code !== 'BOX_ABSENT') throw error;
}

/** The keeper answers when the container is gone, and ends then. False where no answer came. */
async function askStop(runDir: string, graceMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(join(runDir, 'keep.sock'));
    let answer = '';
    const timer = setTimeout(() => socket.destroy(), graceMs + stopMarginMs);
    socket.setEncoding('utf8');
    socket.once('connect', () => socket.write(`${JSON.stringify({ op: 'stop', graceMs })}\n`));
    socket.on('data', (text: string) => {
      answer = (answer + text).slice(0, answerBytesMax);
    });
    socket.on('error', () => undefined); // 'close' follows
    socket.once('close', () => {
      clearTimeout(timer);
      resolve(answer.includes('"state"'));
    });
  });
}

/** The first answer that is not undefined, or undefined past the time. */
async function waitFor<T>(
  clock: Clock,
  timeoutMs: number,
  look: () => Promise<T | undefined>,
): Promise<T | undefined> {
  const until = clock.monotonicMs() + timeoutMs;
  let pause = pollMs;
  while (true) {
    const found = await look();
    if (found !== undefined || clock.monotonicMs() >= until) return found;
    await clock.sleep(pause);
    pause = Math.min(pollMsMax, pause * 1.5);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false; // ESRCH: it ended; EPERM cannot be, it is our child
  }
}

async function errorText(layout: Layout): Promise<string> {
  const bytes = (await readIfThere(layout.keeperErrors)) ?? Buffer.alloc(0);
  return bytes.subarray(-errorBytesMax).toString('utf8');
}
