// SPDX-License-Identifier: Apache-2.0
// /etc/hosts and its like, which the container may write: whatever it makes of them, the agent reads no more
// than it wants to find there, follows nothing, waits for nothing, and puts its own text back.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { writeInPlace } from '../../../agent/run/names.js';
import { tempFolder } from '../../kit/box-container.js';
import { needs } from '../../kit/needs.js';

const text = '127.0.0.1\tlocalhost\n';

for (const size of ['3G', '300M']) {
  test.serial(
    `A file that its container has grown to ${size} is written anew without being read`,
    async (t) => {
      const path = join(tempFolder(t), 'hosts');
      await writeInPlace(path, text);
      const { ino } = statSync(path);
      truncateSync(path, Number.parseInt(size, 10) * (size.endsWith('G') ? 2 ** 30 : 2 ** 20));
      const before = process.memoryUsage().rss;
      await writeInPlace(path, text);
      t.true(process.memoryUsage().rss - before < 50_000_000);
      t.is(readFileSync(path, 'utf8'), text);
      t.is(statSync(path).ino, ino, 'the same file is mounted still');
      t.true(statSync(path).blocks <= 16, 'what it took of the disk is given back');
    },
  );
}

test('A file of the right length with another text is written anew, one that is right is not', async (t) => {
  const path = join(tempFolder(t), 'hosts');
  await writeInPlace(path, text);
  chmodSync(path, 0o600);
  writeFileSync(path, text.replace('localhost', 'otherhost'));
  await writeInPlace(path, text);
  t.is(readFileSync(path, 'utf8'), text);
  t.is(statSync(path).mode & 0o777, 0o644);
  utimesSync(path, 1, 1);
  await writeInPlace(path, text);
  t.is(statSync(path).mtimeMs, 1000, 'flash wears');
  await writeInPlace(path, '');
  t.is(readFileSync(path, 'utf8'), '');
});

test('A link, a pipe or a folder in the file’s place is neither followed nor waited for', async (t) => {
  const folder = tempFolder(t);
  const outside = join(folder, 'outside');
  writeFileSync(outside, 'mine');
  const paths = ['link', 'dangling', 'pipe', 'folder'].map((name) => join(folder, name));
  const [link = '', dangling = '', pipe = '', dir = ''] = paths;
  symlinkSync(outside, link);
  symlinkSync(join(folder, 'made'), dangling);
  execFileSync('mkfifo', [pipe]);
  mkdirSync(join(dir, 'deep'), { recursive: true });
  for (const path of paths) {
    await writeInPlace(path, text);
    t.true(lstatSync(path).isFile(), path);
    t.is(readFileSync(path, 'utf8'), text, path);
  }
  t.is(readFileSync(outside, 'utf8'), 'mine');
  t.false(existsSync(join(folder, 'made')));
});

const lease = `import fcntl, os, sys, signal
signal.signal(signal.SIGIO, signal.SIG_IGN)
fd = os.open(sys.argv[1], os.O_RDWR)
fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print('held', flush=True)
sys.stdin.read()`;

needs(['python3'])(
  'A lease that a container holds on its file is an error at once, not a wait',
  async (t) => {
    const path = join(tempFolder(t), 'hosts');
    await writeInPlace(path, text);
    const holder = spawn('python3', ['-c', lease, path], { stdio: ['pipe', 'pipe', 'ignore'] });
    t.teardown(() => holder.kill('SIGKILL'));
    await once(holder.stdout, 'data');
    const begun = performance.now();
    await t.throwsAsync(writeInPlace(path, 'other'), { code: 'EAGAIN' });
    t.true(performance.now() - begun < 2000);
  },
);
