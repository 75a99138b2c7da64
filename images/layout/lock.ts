// SPDX-License-Identifier: Apache-2.0
// A lock between processes: a file that only one can make, with its pid. A lock whose process is gone is
// taken over. It is for short changes; whoever waits longer than waitMs gives up.

import { randomBytes } from 'node:crypto';
import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { systemClock } from '../../adapters/clock.js';
import { errnoOf } from '../../adapters/durable.js';
import { CodedError } from '../../protocol/error.js';

const waitMs = 20_000;
const stepMs = 20;

/** @throws IMAGE_LAYOUT where another process holds it for too long */
export async function withLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  const until = systemClock.monotonicMs() + waitMs;
  while (!(await take(path))) {
    if (systemClock.monotonicMs() > until) {
      throw new CodedError('IMAGE_LAYOUT', `${path} is held by another process`, { path });
    }
    await systemClock.sleep(stepMs);
  }
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

async function take(path: string): Promise<boolean> {
  const own = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  try {
    await writeFile(own, String(process.pid));
    await link(own, path); // so that the lock never is there without its pid
    return true;
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  } finally {
    await rm(own, { force: true });
  }
  if (await isStale(path)) await rm(path, { force: true });
  return false;
}

async function isStale(path: string): Promise<boolean> {
  const text = await readFile(path, 'utf8').catch(() => ''); // gone again: the next attempt sees it
  const pid = Number(text);
  if (text === '' || !Number.isSafeInteger(pid) || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return errnoOf(error) === 'ESRCH';
  }
}
