// SPDX-License-Identifier: Apache-2.0
// The log: pino, synchronous to stderr, no transport (a worker costs 9 to 15 MB and can lose the last lines).

import { pino } from 'pino';
import { type CodedError, codeOf, messageOf } from '../protocol/error.js';

export interface Log {
  debug(facts: object, message: string): void;
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
  child(bindings: Record<string, string>): Log;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export function openLog(name: string, level: LogLevel = 'info', fd = 2): Log {
  return pino(
    {
      base: { name },
      level,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    pino.destination({ dest: fd, sync: true }),
  );
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
