// SPDX-License-Identifier: Apache-2.0
// What wherry-layer says: its bounded output, and the one JSON line of a result.

import type { Readable } from 'node:stream';
import { CodedError } from '../../protocol/error.js';

/** A result or an error is one line of a few hundred bytes. */
const textBytesMax = 64 * 1024;

/** The first 64 KiB as text; the rest is read and dropped. */
export async function collect(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    if (length < textBytesMax) chunks.push(chunk.subarray(0, textBytesMax - length));
    length += chunk.length;
  }
  return Buffer.concat(chunks).toString('utf8');
}

/**
 * The result line, with `keys` checked to be there.
 * @throws BOX_FAILED if the program ended well but did not say so
 */
export function readResult<T extends object>(stdout: string, keys: ReadonlyArray<keyof T>): T {
  const value = parse(stdout) as Partial<T> | undefined;
  if (value === undefined || keys.some((key) => value[key] === undefined)) {
    throw new CodedError('BOX_FAILED', `wherry-layer gave no result: ${stdout.slice(0, 200)}`);
  }
  return value as T;
}

function parse(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
