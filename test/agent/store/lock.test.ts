// SPDX-License-Identifier: Apache-2.0
// One agent a root, also after one that was killed.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { lockRoot } from '../../../agent/store/lock.js';
import { aRoot } from '../../kit/agent-store.js';

test('Two agents never share a root, and one may follow the other', async (t) => {
  const places = await aRoot(t);
  const lock = await lockRoot(places);
  await t.throwsAsync(lockRoot(places), { code: 'AGENT_RUNNING' } as never);
  await lock.release();
  const next = await lockRoot(places);
  await next.release();
});

test('The lock of an agent that was killed with SIGKILL is free at once', async (t) => {
  const places = await aRoot(t);
  const module = fileURLToPath(new URL('../../../agent/store/lock.js', import.meta.url));
  const script = `import(${JSON.stringify(module)}).then(async ({ lockRoot }) => {
    await lockRoot(${JSON.stringify(places)});
    console.log('locked');
    setInterval(() => {}, 1000);
  });`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  await t.throwsAsync(lockRoot(places), { code: 'AGENT_RUNNING' } as never);
  child.kill('SIGKILL');
  await once(child, 'exit');
  const lock = await lockRoot(places);
  await lock.release();
  t.pass();
});

test('attack: no local user can open the lock, and so hold it before the agent does', async (t) => {
  const places = await aRoot(t);
  const modes = async (): Promise<number[]> => {
    const names = await readdir(places.runtime);
    return Promise.all(
      names.map(async (name) => (await stat(join(places.runtime, name))).mode & 0o077),
    );
  };
  const lock = await lockRoot(places);
  t.is((await stat(places.runtime)).mode & 0o777, 0o750, 'the group reaches the socket in it');
  t.deepEqual([...new Set(await modes())], [0]);
  await lock.release();

  const older = await aRoot(t);
  await mkdir(older.runtime, { recursive: true });
  await writeFile(join(older.runtime, 'wherryd.lock'), '');
  await chmod(join(older.runtime, 'wherryd.lock'), 0o644);
  const next = await lockRoot(older);
  t.is((await stat(join(older.runtime, 'wherryd.lock'))).mode & 0o777, 0o600);
  await next.release();
});
