// SPDX-License-Identifier: Apache-2.0
// Where the claim code of an enrolment comes from. An argument is seen by every user of the device in the list
// of processes and stays in the shell's history, so it can also come on standard input or in a file.

import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { CodedError, messageOf } from '../../protocol/error.js';

/** A claim code has at most 400. */
const textBytesMax = 4096;

/** `word`: the code, or `-` for standard input. Exactly one of the two is given. @throws USAGE */
export async function readCode(
  word: string | undefined,
  file: string | undefined,
  stdin: Readable = process.stdin,
): Promise<string> {
  if ((word === undefined) === (file === undefined)) {
    throw new CodedError('USAGE', 'give one of CODE, - (standard input) and --code-file FILE');
  }
  if (file !== undefined) return readText(createReadStream(file), file);
  return word === '-' ? readText(stdin, 'standard input') : (word ?? '');
}

async function readText(source: Readable, name: string): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > textBytesMax) throw new Error(`is longer than ${textBytesMax} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    const what = `no claim code can be read from ${name}: ${messageOf(error)}`;
    throw new CodedError('USAGE', what, {}, { cause: error });
  }
  return Buffer.concat(chunks).toString('utf8').trim();
}
