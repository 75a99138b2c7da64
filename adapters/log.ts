// SPDX-License-Identifier: Apache-2.0
// The log: pino, synchronous to stderr, no transport (a worker costs 9 to 15 MB and can lose the last lines). JSON,
// a line each; in the journal of systemd with the line's priority before it and without name and time, which
// the journal has. The level words are the same in both.

import { type DestinationStream, pino } from 'pino';
import { type CodedError, codeOf, messageOf } from '../protocol/error.js';
import { type Clock, systemClock } from './clock.js';
import { isJournal, withPriority } from './journal.js';

export interface Log {
  debug(facts: object, message: string): void;
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
  child(bindings: Record<string, string>): Log;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export function openLog(name: string, level: LogLevel = 'info', fd = 2): Log {
  const out = pino.destination({ dest: fd, sync: true });
  const inJournal = isJournal(fd);
  return pino(
    {
      base: inJournal ? null : { name },
      level,
      timestamp: inJournal ? false : pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    inJournal ? journalStream(out) : out,
  );
}

/** pino's levels, by number, as the journal's: error, warning, info, debug. */
function priorityOf(level: number): number {
  if (level >= 50) return 3;
  if (level >= 40) return 4;
  return level >= 30 ? 6 : 7;
}

/** pino leaves the line's level in `lastLevel` of a stream that asks for it. */
function journalStream(out: DestinationStream): DestinationStream & { lastLevel: number } {
  return {
    [Symbol.for('pino.metadata')]: true,
    lastLevel: 30,
    write(line: string): void {
      out.write(withPriority(line.trimEnd(), priorityOf(this.lastLevel)).concat('\n'));
    },
  } as DestinationStream & { lastLevel: number };
}

/** Lines a minute of `sparing`. */
export const sparingLinesMax = 20;

/**
 * The log for what strangers can cause as often as they like: at most `sparingLinesMax` lines a minute. The
 * next line after some were left out says how many: `leftOut`.
 */
export function sparing(log: Log, clock: Pick<Clock, 'monotonicMs'> = systemClock): Log {
  let minute = Number.NEGATIVE_INFINITY;
  let count = 0;
  let leftOut = 0;
  const line =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (facts: object, message: string): void => {
      const now = Math.floor(clock.monotonicMs() / 60_000);
      if (now !== minute) count = 0;
      minute = now;
      count += 1;
      if (count > sparingLinesMax) {
        leftOut += 1;
        return;
      }
      log[level](leftOut === 0 ? facts : { ...facts, leftOut }, message);
      leftOut = 0;
    };
  return {
    debug: line('debug'),
    info: line('info'),
    warn: line('warn'),
    error: line('error'),
    child: (bindings) => sparing(log.child(bindings), clock),
  };
}

/** What a log line says of an error: code, message, facts and the chain of causes. */
export function errorFacts(error: unknown): object {
  const causes: string[] = [];
  let cause = error instanceof Error ? error.cause : undefined;
  while (cause !== undefined && causes.length < 5) {
    causes.push(messageOf(cause));
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  const code = codeOf(error);
  return {
    code,
    error: messageOf(error),
    ...(error as CodedError | undefined)?.facts,
    ...(causes.length > 0 ? { causes } : {}),
    ...(code === 'BUG' && error instanceof Error ? { stack: error.stack } : {}),
  };
}
