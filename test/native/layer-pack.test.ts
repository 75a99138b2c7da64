// SPDX-License-Identifier: Apache-2.0
// pack and unpack are each other's inverse on any tree, and pack is deterministic.
// runs: host, lab

import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { digestOf, layer, listing, tempDir, unpack } from '../kit/layer-run.js';
import { tarOf } from '../kit/layer-tar.js';
import { needsBeside } from '../kit/needs.js';

const rooted = needsBeside(['root']);

const part = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('a', 'b', 'c', 'dir', 'ä', ' sp ace', '-x', '.hidden') },
  { weight: 1, arbitrary: fc.integer({ min: 90, max: 255 }).map((n) => 'l'.repeat(n)) },
);
const path = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
const file = fc.record({
  path,
  kind: fc.constantFrom('file', 'dir', 'symlink', 'link', 'fifo', 'device', 'whiteout'),
  mode: fc.constantFrom(0o644, 0o755, 0o4755, 0o2750, 0o1777, 0o400, 0),
  owner: fc.constantFrom(0, 1000, 65534, 3_000_000),
  mtime: fc.integer({ min: 0, max: 4_000_000_000 }),
  bytes: fc.integer({ min: 0, max: 3000 }),
  target: path,
});

type FileOf<T> = T extends fc.Arbitrary<infer V> ? V : never;

/** Puts one file there if its place is free; returns whether it did. */
function put(root: string, f: FileOf<typeof file>): boolean {
  const full = join(root, f.path);
  try {
    mkdirSync(dirname(full), { recursive: true });
    if (f.kind === 'dir') mkdirSync(full);
    else if (f.kind === 'symlink') symlinkSync(f.target, full);
    else if (f.kind === 'link') linkSync(join(root, f.target), full);
    else if (f.kind === 'file') writeFileSync(full, Buffer.alloc(f.bytes, f.path), { flag: 'wx' });
    else return spawnSync('mknod', [full, ...node[f.kind]]).status === 0;
  } catch {
    return false; // the place is taken, or the target is not there
  }
  if (f.kind === 'file' || f.kind === 'dir') {
    chownSync(full, f.owner, f.owner);
    chmodSync(full, f.mode);
  }
  return true;
}

const node = { fifo: ['p'], device: ['c', '1', '3'], whiteout: ['c', '0', '0'] } as const;

rooted('pack, unpack, pack again: the trees are equal and so are the bytes.', async (t) => {
  const dir = tempDir(t);
  let number = 0;
  await fc.assert(
    fc.property(fc.array(file, { maxLength: 25 }), (files) => {
      number += 1;
      const from = join(dir, `from${number}`);
      const to = join(dir, `to${number}`);
      mkdirSync(from);
      const there = files.filter((f) => put(from, f)).reverse();
      for (const f of there) lutimesSync(join(from, f.path), f.mtime, f.mtime);
      for (const f of there) lutimesSync(dirname(join(from, f.path)), 1_000_000, 1_000_000);
      const packed = layer(['pack', '--compression', 'none', from]);
      t.is(packed.error, '', packed.message);
      const run = unpack(packed.stdout, to, { headers: join(dir, `headers${number}`) });
      t.is(run.error, '', run.message);
      t.deepEqual(ownTimesOut(listing(to)), ownTimesOut(listing(from)));
      t.is(
        digestOf(layer(['tar', '--headers', join(dir, `headers${number}`), to]).stdout),
        digestOf(packed.stdout),
      );
      t.is(digestOf(layer(['pack', '--compression', 'none', to]).stdout), digestOf(packed.stdout));
      rmSync(from, { recursive: true });
      rmSync(to, { recursive: true });
    }),
    { numRuns: 40 },
  );
});

/** pack writes whole seconds, and folders made on the way have the time of their making; whiteouts lose all but the name. */
function ownTimesOut(lines: string[]): string[] {
  return lines.map((line) =>
    / 2[0-7]{4} .* 0( =.*)?$/.test(line) && / \d+:\d+ \d+ 0( =.*)?$/.test(line)
      ? `${line.split(' ')[0]} whiteout`
      : line.replace(/( \d+:\d+) (-?\d+)\d{9}\b/, '$1 $2'),
  );
}

rooted('What pack writes is what GNU tar reads.', (t) => {
  const dir = tempDir(t);
  const tar = tarOf([
    { name: 'deep', type: '5', mode: 0o2755 },
    { name: 'n', content: 'x', pax: [['path', `deep/${'n'.repeat(200)}`]], uid: 12 },
    { name: 's', type: '2', link: 's', pax: [['linkpath', 't'.repeat(300)]] },
    { name: 'd', type: '3', device: [5, 1], mode: 0o620 },
    { name: 'h', type: '1', link: 'd' },
    {
      name: 'far',
      content: 'x',
      pax: [
        ['mtime', '99999999999'],
        ['uid', '3000000000'],
      ],
    },
  ]);
  t.is(unpack(tar, join(dir, 'tree')).error, '');
  writeFileSync(
    join(dir, 't.tar'),
    layer(['pack', '--compression', 'none', join(dir, 'tree')]).stdout,
  );
  mkdirSync(join(dir, 'gnu'));
  const gnu = spawnSync('tar', ['-C', join(dir, 'gnu'), '-xpf', join(dir, 't.tar')]);
  t.is(gnu.status, 0, gnu.stderr.toString());
  t.deepEqual(listing(join(dir, 'gnu')), listing(join(dir, 'tree')));
});

rooted(
  '--mtime and --owner root make layers that depend on content alone; each compression has one output.',
  (t) => {
    const dir = tempDir(t);
    const packs = ['one', 'two'].map((name, index) => {
      mkdirSync(join(dir, name));
      for (const f of index === 0 ? ['a', 'b'] : ['b', 'a']) writeFileSync(join(dir, name, f), f);
      chownSync(join(dir, name, 'a'), index, index);
      return ['zstd', 'gzip', 'none'].map((compression) => {
        const args = [
          'pack',
          '--compression',
          compression,
          '--mtime',
          '1700000000',
          '--owner',
          'root',
          join(dir, name),
        ];
        return digestOf(layer(args).stdout);
      });
    });
    t.deepEqual(packs[0], packs[1]);
    const gzip = layer(['pack', '--compression', 'gzip', join(dir, 'one')]).stdout;
    t.is(gzip.subarray(0, 10).toString('hex'), '1f8b0800000000000003', 'no name, no time');
  },
);

rooted('A file whose name would be a whiteout is refused, a socket is passed over.', (t) => {
  const dir = tempDir(t);
  writeFileSync(join(dir, '.wh.x'), '');
  const run = layer(['pack', dir]);
  t.is(run.error, 'LAYER_TAR');
  t.true(run.message.includes('.wh.x'));
});

rooted('--out writes the file whole or not at all.', (t) => {
  const dir = tempDir(t);
  mkdirSync(join(dir, 'tree'));
  writeFileSync(join(dir, 'tree/f'), 'x');
  const run = layer(['pack', '--level', '19', '--out', join(dir, 'blob'), join(dir, 'tree')]);
  const bytes = readFileSync(join(dir, 'blob'));
  t.like(run.result, { digest: digestOf(bytes), size: bytes.length, entries: 1 });
  t.false(existsSync(join(dir, 'blob.part')));
  writeFileSync(join(dir, 'tree/.wh.f'), '');
  t.is(layer(['pack', '--out', join(dir, 'blob2'), join(dir, 'tree')]).error, 'LAYER_TAR');
  t.false(existsSync(join(dir, 'blob2')));
  t.false(existsSync(join(dir, 'blob2.part')));
});
