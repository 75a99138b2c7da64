// SPDX-License-Identifier: Apache-2.0
// Documents made to end the agent: each is read by a process with the agent's own small heap, and is refused.

import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { documentBytesMax, documentValuesMax } from '../../../images/oci/document.js';
import { tempFolder } from '../../kit/images-certs.js';

const agentFlags = ['--max-semi-space-size=1', '--max-old-space-size=64'];
const config = new URL('../../../images/oci/config.js', import.meta.url);
const script = `const [path] = process.argv.slice(1);
const { parseConfig } = await import(${JSON.stringify(fileURLToPath(config))});
const { readFileSync } = await import('node:fs');
try {
  parseConfig(readFileSync(path));
  console.log('read');
} catch (error) {
  console.log(error.code);
}`;

const head = '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]},"x":';

/** A document of 4 MiB, all of it `value` again and again, or as much as the bound on values lets pass. */
function filled(
  open: string,
  value: (at: number) => string,
  close: string,
  countMax: number,
): string {
  const parts: string[] = [];
  let length = head.length + open.length + close.length + 1;
  for (let at = 0; at < countMax; at += 1) {
    const part = value(at);
    length += part.length + 1;
    if (length > documentBytesMax) break;
    parts.push(part);
  }
  return `${head}${open}${parts.join(',')}${close}}`;
}

const all = Number.POSITIVE_INFINITY;
const some = documentValuesMax / 2 - 100;
const attacks: ReadonlyArray<readonly [string, string]> = [
  ['a list of a million empty objects', filled('[', () => '{}', ']', all)],
  ['a list of a million empty lists', filled('[', () => '[]', ']', all)],
  ['an object of 300,000 keys', filled('{', (at) => `"k${at}":0`, '}', all)],
  [
    'as many objects as may be, each of its own shape',
    filled('[', (at) => `{"k${at}":0}`, ']', some),
  ],
  ['long strings up to the last byte', filled('[', () => `"${'\\u0101'.repeat(30)}"`, ']', some)],
  ['4 MiB of unclosed strings', `${head}${'\\"'.repeat(2_000_000)}`],
];

for (const [what, text] of attacks) {
  test(`attack: an image config of ${what} does not end a process with the heap of the agent`, async (t) => {
    const path = join(tempFolder(t), 'config.json');
    writeFileSync(path, text);
    const argv = [...agentFlags, '--input-type=module', '-e', script, path];
    const beganAt = performance.now();
    const { stdout } = await promisify(execFile)(process.execPath, argv);
    t.regex(stdout, /^(read|IMAGE_[A-Z]+)\n$/);
    t.true(performance.now() - beganAt < 5000);
  });
}
