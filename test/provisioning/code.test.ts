// SPDX-License-Identifier: Apache-2.0
// Where a claim code comes from, and what the server does with requests that are no enrolment.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { openHttp, readBody } from '../../adapters/http.js';
import { openAttempts } from '../../provisioning/authority/attempts.js';
import { readCode } from '../../provisioning/device/code.js';
import { loadIdentity } from '../../provisioning/device/identity.js';
import { anEnrolServer } from '../kit/edges-enrol.js';
import { tempDir } from '../kit/edges-fleet.js';

test('the code of a claim comes as an argument, on standard input or in a file, and from one of them only', async (t) => {
  const dir = await tempDir(t);
  const file = join(dir, 'code');
  await writeFile(file, 'wherry1.code\n', { mode: 0o600 });
  t.is(await readCode('wherry1.code', undefined), 'wherry1.code');
  t.is(
    await readCode('-', undefined, Readable.from([Buffer.from('wherry1.code\n')])),
    'wherry1.code',
  );
  t.is(await readCode(undefined, file), 'wherry1.code');
  const endless = Readable.from(Array.from({ length: 9 }, () => Buffer.alloc(1024, 'x')));
  for (const asked of [
    readCode(undefined, undefined),
    readCode('wherry1.code', file),
    readCode(undefined, join(dir, 'none')),
    readCode('-', undefined, endless),
  ]) {
    await t.throwsAsync(asked, { code: 'USAGE' } as never);
  }
});

test('a device enrols with a code from standard input, so that no list of processes has it', async (t) => {
  const server = await anEnrolServer(t);
  const root = await tempDir(t);
  const main = fileURLToPath(new URL('../../provisioning/main.js', import.meta.url));
  const child = spawn(process.execPath, [main, 'enrol', '-', '--root', root, '--name', 'pump-9'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill());
  const ended = once(child, 'exit');
  child.stdin.end(`${await server.code()}\n`);
  t.deepEqual(await ended, [0, null]);
  t.is((await stat(join(root, 'etc/wherry'))).mode & 0o777, 0o700);
  t.is((await loadIdentity(join(root, 'etc/wherry')))?.device, 'pump-9');
});

test('attack: an address that had its attempts does not get its next request read, let alone parsed', async (t) => {
  const attempts = openAttempts();
  const server = await anEnrolServer(t, { attempts });
  const post = async (body: string): Promise<{ status: number; code: unknown }> => {
    const http = openHttp({ tls: { ca: server.fleet.authority.certificatePem } });
    t.teardown(() => http.close());
    const url = new URL(`https://127.0.0.1:${server.port}/v1/enrol`);
    const answer = await http.request({
      method: 'POST',
      url,
      headers: {},
      body: Buffer.from(body),
    });
    const text = String(await readBody(answer, 65_536));
    t.true(text.length < 1024, 'what was sent does not come back whole');
    return { status: answer.status, code: (JSON.parse(text) as { code: unknown }).code };
  };
  t.like(await post('\\"'.repeat(15_000)), { status: 400, code: 'JSON_BAD' });
  t.like(await post('x'.repeat(33 * 1024)), { status: 400, code: 'JSON_BAD' });
  t.like(await post(`{"${'k'.repeat(30_000)}":1}`), { status: 400, code: 'SHAPE_BAD' });
  for (let count = 0; count < 10; count += 1) attempts.failed('127.0.0.1');
  t.like(await post('no JSON'), { status: 429, code: 'CLAIM_LIMIT' });
});
