// SPDX-License-Identifier: Apache-2.0
// What the service manager of the machine tells and is told: whether our output goes to the journal (then each
// line says its priority, and the journal knows the time), and that we are ready. No systemd, no effect.

import { fstatSync } from 'node:fs';
import { run } from './exec.js';

/** systemd waits 90 s for a start; a start does not wait for systemd. */
const notifyMs = 10_000;

/**
 * Whether this descriptor is the journal's: JOURNAL_STREAM names its device and inode. A program that was started
 * by ours with its output elsewhere inherits the variable, not the stream.
 */
export function isJournal(fd: number): boolean {
  const named = process.env['JOURNAL_STREAM'];
  if (named === undefined || named === '') return false;
  try {
    const { dev, ino } = fstatSync(fd);
    return named === `${dev}:${ino}`;
  } catch {
    return false; // closed
  }
}

/** Each line with the priority, 3 = error … 7 = debug (sd-daemon(3)). */
export function withPriority(text: string, priority: number): string {
  return text.replace(/^/gm, `<${priority}>`);
}

/**
 * Tells systemd that the service is ready, where it waits for that (Type=notify). Its socket takes datagrams,
 * which Node cannot send on unix sockets: systemd-notify, a part of systemd, does. Programs that are started later
 * do not inherit the socket. Gives what went wrong.
 */
export async function notifyReady(): Promise<string | undefined> {
  const socket = process.env['NOTIFY_SOCKET'];
  delete process.env['NOTIFY_SOCKET'];
  if (socket === undefined || socket === '') return undefined;
  try {
    const env = { ...process.env, NOTIFY_SOCKET: socket };
    const { code, stderr } = await run('systemd-notify', ['--ready'], { env, timeoutMs: notifyMs });
    return code === 0 ? undefined : stderr.trim() || `systemd-notify ended with ${code}`;
  } catch (error) {
    return `systemd-notify cannot be started: ${(error as Error).message}`;
  }
}
