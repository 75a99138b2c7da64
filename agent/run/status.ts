// SPDX-License-Identifier: Apache-2.0
// Reads what a keeper says: status.json, and whether it lives, which is whether its socket answers. It
// changes nothing, so anybody may use it while an agent is at work.

import { createConnection } from 'node:net';
import { join } from 'node:path';
import { errnoOf, readIfThere } from '../../adapters/durable.js';
import { parseJson } from '../../protocol/json.js';
import { type KeepStatus, keepStatus } from '../../protocol/keeper.js';

const statusBytesMax = 16 * 1024;
const connectTimeoutMs = 2000;

/** Undefined where there is none, or none that can be read (it is replaced whole, so a torn one is foreign). */
export async function readStatus(runDir: string): Promise<KeepStatus | undefined> {
  const path = join(runDir, 'status.json');
  const bytes = await readIfThere(path);
  if (bytes === undefined) return undefined;
  try {
    return keepStatus(
      parseJson(bytes.toString('utf8'), path, { bytesMax: statusBytesMax }),
      'status',
    );
  } catch {
    return undefined; // as if there was none: the keeper's socket decides whether it lives
  }
}

/** A keeper that lives accepts; a dead one's socket refuses; no socket, no keeper. */
export async function isKept(runDir: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(join(runDir, 'keep.sock'));
    const timer = setTimeout(() => end(true), connectTimeoutMs); // its backlog is full: it lives
    const end = (lives: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(lives);
    };
    socket.once('connect', () => end(true));
    socket.once('error', (error) => end(errnoOf(error) === 'EAGAIN'));
  });
}

/** The container is over for good; the keeper lives on to say so until it is stopped. */
export function isFinal(status: KeepStatus): boolean {
  return status.state === 'exited' || status.state === 'failed';
}

/**
 * A living keeper's status. The file alone proves nothing: a keeper holds its last word until it is told to
 * end, so one that is gone was stopped or killed.
 */
export async function statusOf(
  runDir: string,
): Promise<{ status: KeepStatus | undefined; kept: boolean }> {
  const kept = await isKept(runDir);
  return { kept, status: kept ? await readStatus(runDir) : undefined };
}
