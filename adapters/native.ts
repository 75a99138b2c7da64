// SPDX-License-Identifier: Apache-2.0
// Reads what a native program says when it fails: one JSON line on stderr (native/shared/error.h) becomes a
// CodedError with the program's own code, place and errno.

import { isCode } from '../protocol/codes.js';
import { CodedError } from '../protocol/error.js';

/** The last line of `stderr` that is an error record, or BOX_FAILED with the text itself. */
export function nativeError(program: string, exitCode: number, stderr: string): CodedError {
  for (const line of stderr.trimEnd().split('\n').reverse()) {
    const record = parseLine(line);
    if (record !== undefined) {
      const { code, message, where, errno } = record;
      return new CodedError(code, `${program}: ${message}`, { where, errno, exitCode });
    }
  }
  const text = stderr.trim().slice(-512);
  return new CodedError('BOX_FAILED', `${program} ended with ${exitCode}: ${text}`, { exitCode });
}

interface ErrorLine {
  code: Parameters<typeof isCode>[0] & ConstructorParameters<typeof CodedError>[0];
  message: string;
  where: string;
  errno: number;
}

function parseLine(line: string): ErrorLine | undefined {
  if (!line.startsWith('{')) return undefined;
  let value: Partial<Record<string, unknown>>;
  try {
    value = JSON.parse(line) as Partial<Record<string, unknown>>;
  } catch {
    return undefined; // an ordinary line that happens to begin with a brace
  }
  const code = value['code'];
  const message = value['msg'];
  if (typeof code !== 'string' || !isCode(code) || typeof message !== 'string') return undefined;
  return { code, message, where: String(value['where'] ?? ''), errno: Number(value['errno'] ?? 0) };
}
