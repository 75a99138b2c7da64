// SPDX-License-Identifier: Apache-2.0
// Real trees and large ones: the same tree as `tar x` makes, many files, deep folders, little memory.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nativeProgram } from '../../adapters/places.js';
import { layer, listing, tempDir, unpack } from '../kit/layer-run.js';
import { entryBytes, type RawEntry, tarOf } from '../kit/layer-tar.js';
import { needsBeside } from '../kit/needs.js';

const rooted = needsBeside(['root']);

rooted('A real tree of this machine is unpacked just as by tar x.', (t) => {
  const dir = tempDir(t);
  const made = spawnSync('tar', [
    '-C',
    '/',
    '--format=pax',
    '-cf',
    join(dir, 'real.tar'),
    'usr/share/doc/tar',
    'usr/lib/udev',
    'etc/ssl',
    'etc/alternatives',
    'usr/bin/mount',
    'usr/bin/passwd',
  ]);
  t.true(made.status === 0 || made.status === 2, made.stderr.toString()); // 2: one of them is not here
  mkdirSync(join(dir, 'tar'));
  spawnSync('tar', ['-C', join(dir, 'tar'), '-xpf', join(dir, 'real.tar')]);
  const run = unpack(readFileSync(join(dir, 'real.tar')), join(dir, 'ours'));
  t.is(run.error, '', run.message);
  // Folders that the archive only implies have the time of their making: compare what it names.
  const plain = (root: string) => listing(root).filter((line) => !/^[^ ]+ 40755 0:0 /.test(line));
  t.deepEqual(plain(join(dir, 'ours')), plain(join(dir, 'tar')));
  t.true(plain(join(dir, 'ours')).length > 100);
});

rooted('20,000 files in 200 folders are unpacked, and counted.', (t) => {
  const dir = tempDir(t);
  const entries = Array.from(
    { length: 20_000 },
    (_, i): RawEntry => ({ name: `d${i % 200}/f${i}`, content: `${i}` }),
  );
  const startedAt = performance.now();
  const run = unpack(tarOf(entries), join(dir, 'root'), { headers: join(dir, 'headers') });
  t.is(run.error, '', run.message);
  t.is(run.result['entries'], 20_000);
  t.is(readFileSync(join(dir, 'root/d7/f19807'), 'utf8'), '19807');
  t.log(
    `${Math.round(performance.now() - startedAt)} ms, headers file ${readFileSync(join(dir, 'headers')).length} bytes`,
  );
});

rooted('Folders 1,900 deep are made, replaced and packed.', (t) => {
  const dir = tempDir(t);
  const deep = Array.from({ length: 1900 }, () => 'd').join('/');
  const tar = tarOf([{ name: 'f', content: 'deep', pax: [['path', `${deep}/f`]] }]);
  t.is(unpack(tar, join(dir, 'root')).error, '');
  const packed = layer(['pack', '--compression', 'none', join(dir, 'root')]);
  t.is(packed.error, '', packed.message);
  t.true(packed.stdout.includes('deep'));
  const replaced = tarOf([
    { name: 'f', content: 'deep', pax: [['path', `${deep}/f`]] },
    { name: 'd', content: 'flat' },
  ]);
  const run = unpack(replaced, join(dir, 'root2'), { headers: join(dir, 'headers') });
  t.is(run.error, '', run.message);
  t.is(readFileSync(join(dir, 'root2/d'), 'utf8'), 'flat');
  const again = layer(['tar', '--headers', join(dir, 'headers'), join(dir, 'root2')]);
  t.true(again.stdout.equals(replaced), again.message);
});

const mebibyte = 1 << 20;

/** 200 MiB in four files of zeros with a little noise, piece by piece. */
function* bigTar(): Generator<Buffer> {
  const piece = Buffer.alloc(mebibyte);
  for (let file = 0; file < 4; file += 1) {
    yield entryBytes({ name: `big${file}`, size: 50 * mebibyte })[0] ?? Buffer.alloc(0);
    for (let i = 0; i < 50; i += 1) {
      piece.writeUInt32LE(file * 1000 + i, (i * 7919) % (mebibyte - 4));
      yield piece;
    }
  }
  yield Buffer.alloc(1024);
}

async function feed(child: ChildProcess): Promise<void> {
  for (const piece of bigTar()) {
    if (child.stdin?.write(Buffer.from(piece)) === false) {
      await new Promise((resolve) => child.stdin?.once('drain', resolve));
    }
  }
}

rooted(
  'A stream of 200 MiB needs less than 24 MiB of memory, compressed by zstd or not at all.',
  async (t) => {
    const dir = tempDir(t);
    const sum = createHash('sha256');
    for (const piece of bigTar()) sum.update(piece);
    const diffId = `sha256:${sum.digest('hex')}`;
    for (const through of ['cat', 'zstd -qc -T1 --long=23', 'gzip -1c']) {
      const root = join(dir, through.slice(0, 4));
      // The memory's high-water mark is read by the shell when the child has done all but end.
      const script = `${through} | /usr/bin/env sh -c 'exec "$0" unpack --diff-id ${diffId} --headers ${root}.h ${root}' ${nativeProgram('wherry-layer')}`;
      const child = spawn('sh', ['-c', script], { stdio: ['pipe', 'ignore', 'pipe'] });
      const watch = watchMemory('wherry-layer', child.pid ?? 0);
      const ended = new Promise<number>((resolve) =>
        child.once('close', (code) => resolve(code ?? -1)),
      );
      await feed(child);
      child.stdin.end();
      t.is(await ended, 0, through);
      const peak = watch();
      t.log(`${through}: VmHWM ${peak} kB`);
      t.true(peak > 0 && peak < 24 * 1024, `${through}: ${peak} kB`);
    }
    writeFileSync(join(dir, 'done'), '');
  },
);

/** Samples VmHWM of the program of that name below `parent`; the call returns the highest seen, in kB. */
function watchMemory(name: string, parent: number): () => number {
  let peak = 0;
  const timer = setInterval(() => {
    const list = spawnSync('sh', [
      '-c',
      `for p in $(cat /proc/${parent}/task/*/children 2>/dev/null); do grep -sH -E '^(Name|VmHWM)' /proc/$p/status; done`,
    ]).stdout.toString();
    const match = new RegExp(`Name:\\s+${name.slice(0, 15)}\\n.*VmHWM:\\s+(\\d+)`).exec(list);
    if (match !== null) peak = Math.max(peak, Number(match[1]));
  }, 50);
  return () => {
    clearInterval(timer);
    return peak;
  };
}
