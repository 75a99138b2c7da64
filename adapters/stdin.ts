// SPDX-License-Identifier: Apache-2.0
// A secret from standard input, where no process list and no shell history sees it.

import { CodedError } from '../protocol/error.js';

const bytesMax = 16_384;

/** Without the line's end. @throws USAGE where there is none, or a longer one */
export async function readSecret(): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > bytesMax)
      throw new CodedError('USAGE', `the secret is longer than ${bytesMax} bytes`);
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '');
  if (text === '') throw new CodedError('USAGE', 'standard input holds no password');
  return text;
}
