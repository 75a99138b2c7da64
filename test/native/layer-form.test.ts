// SPDX-License-Identifier: Apache-2.0
// What an honest layer becomes: overlayfs's form of whiteouts, and every dialect of tar that is about.
// runs: host, lab

import { spawnSync } from 'node:child_process';
import { lstatSync, mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { ExecutionContext } from 'ava';
import { digestOf, layer, listing, tempDir, unpack } from '../kit/layer-run.js';
import { base256, type RawEntry, tarOf } from '../kit/layer-tar.js';
import { needsBeside } from '../kit/needs.js';

const rooted = needsBeside(['root']);

/** Unpacks, and says what the tree packs to: names as pack writes them, in order. */
function unpacked(
  t: ExecutionContext,
  entries: readonly RawEntry[],
): { root: string; names: string[] } {
  const dir = tempDir(t);
  const root = join(dir, 'root');
  const run = unpack(tarOf(entries), root);
  t.is(run.error, '', run.message);
  writeFileSync(join(dir, 'again.tar'), layer(['pack', '--compression', 'none', root]).stdout);
  const list = spawnSync('tar', ['tf', join(dir, 'again.tar')]).stdout.toString();
  return { root, names: list.trimEnd().split('\n') };
}

rooted(
  'Whiteouts become devices 0:0 and opaque marks an attribute, which overlayfs obeys.',
  (t) => {
    const dir = tempDir(t);
    const lower = tarOf([
      { name: 'gone', content: 'x' },
      { name: 'dir/old', content: 'x' },
      { name: 'kept/old', content: 'x' },
    ]);
    const upper = tarOf([
      { name: '.wh.gone', content: '' },
      { name: 'dir/.wh..wh..opq', content: '' },
      { name: 'dir/new', content: 'x' },
      { name: 'kept/new', content: 'x' },
      { name: '.wh..wh.plnk/1.2', content: '' },
      { name: '.wh..wh.aufs', content: '' },
    ]);
    t.is(unpack(lower, join(dir, 'lower')).error, '');
    t.is(unpack(upper, join(dir, 'upper')).error, '');
    t.true(lstatSync(join(dir, 'upper/gone')).isCharacterDevice());
    mkdirSync(join(dir, 'merged'));
    const script =
      'mount -t overlay overlay -o lowerdir=upper:lower merged && cd merged && find . -type f | sort';
    const seen = spawnSync('unshare', ['-m', 'sh', '-c', script], { cwd: dir });
    if (seen.status !== 0) t.log(`no overlay here: ${seen.stderr}`);
    else t.is(seen.stdout.toString(), './dir/new\n./kept/new\n./kept/old\n');
  },
);

rooted('A whiteout of something that the layer itself brings hides only the lower one.', (t) => {
  const { names } = unpacked(t, [
    { name: '.wh.before', content: '' },
    { name: 'before', type: '5' },
    { name: 'before/f', content: 'x' },
    { name: 'after', type: '5' },
    { name: 'after/f', content: 'x' },
    { name: '.wh.after', content: '' },
    { name: 'file', content: 'x' },
    { name: '.wh.file', content: '' },
    { name: '.wh.implied', content: '' },
    { name: 'implied/f', content: 'x' },
  ]);
  t.deepEqual(names, [
    ...['after/', 'after/.wh..wh..opq', 'after/f'],
    ...['before/', 'before/.wh..wh..opq', 'before/f'],
    'file',
    ...['implied/', 'implied/.wh..wh..opq', 'implied/f'],
  ]);
});

rooted('Names are taken as relative: leading slashes, "./" and trailing slashes go.', (t) => {
  const { root } = unpacked(t, [
    { name: './', type: '5', mode: 0o711, mtime: 1_600_000_000 },
    { name: '/abs//./file', content: 'x' },
    { name: './rel/', type: '5', mode: 0o700 },
    { name: 'v7dir/', dialect: 'v7', patch: [[156, '\0']] },
    { name: Buffer.from([0x66, 0xff, 0xfe]), content: 'not UTF-8' },
  ]);
  t.is(readFileSync(join(root, 'abs/file'), 'utf8'), 'x');
  t.is(lstatSync(join(root, 'abs')).mode & 0o7777, 0o755);
  t.is(lstatSync(join(root, 'rel')).mode & 0o7777, 0o700);
  t.true(lstatSync(join(root, 'v7dir')).isDirectory());
  t.is(lstatSync(root).mode & 0o7777, 0o711);
  t.is(lstatSync(root).mtimeMs, 1_600_000_000_000);
  const odd = Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0x66, 0xff, 0xfe])]);
  t.is(readFileSync(odd, 'utf8'), 'not UTF-8');
});

rooted('Long names come from the ustar prefix, from GNU L and K, and from PAX.', (t) => {
  const long = `${'p'.repeat(90)}/${'q'.repeat(90)}`;
  const { root } = unpacked(t, [
    { name: 'leaf', content: 'ustar', patch: [[345, 'pre/fix']] },
    { name: '././@LongLink', type: 'L', content: `${long}\0`, dialect: 'gnu' },
    { name: 'cut', content: 'gnu', dialect: 'gnu', patch: [[345, 'not a prefix']] },
    { name: '././@LongLink', type: 'K', content: `${long}\0`, dialect: 'gnu' },
    { name: 'gnu-link', type: '2', link: 'cut', dialect: 'gnu' },
    { name: 'cut', content: 'pax', pax: [['path', `x/${long}`]] },
    { name: 'pax-link', type: '2', link: 'cut', pax: [['linkpath', `x/${long}`]] },
    { name: 'hard', type: '1', link: 'cut', pax: [['linkpath', `/x/${long}`]] },
  ]);
  t.is(readFileSync(join(root, 'pre/fix/leaf'), 'utf8'), 'ustar');
  t.is(readFileSync(join(root, long), 'utf8'), 'gnu');
  t.is(readlinkSync(join(root, 'gnu-link')), long);
  t.is(readlinkSync(join(root, 'pax-link')), `x/${long}`);
  t.is(readFileSync(join(root, 'hard'), 'utf8'), 'pax');
});

rooted('Numbers: base-256, negative and fractional times, large owners, global defaults.', (t) => {
  const { root } = unpacked(t, [
    { name: 'g', type: 'g', content: '12 uid=1234\n20 comment=whatever\n' },
    { name: 'globe', content: 'x' },
    {
      name: 'local',
      content: 'x',
      pax: [
        ['uid', '77'],
        ['mtime', '-1.5'],
      ],
    },
    { name: 'wide', content: 'x', pax: [['uid', '']], patch: [[116, base256(4_000_000_000, 8)]] },
    {
      name: 'early',
      content: 'x',
      patch: [[136, Buffer.concat([Buffer.alloc(11, 255), Buffer.from([0xf6])])]],
    },
    { name: 'dir', type: '5', pax: [['mtime', '1234567890.123456789']] },
    { name: 'dir/late', content: 'x' },
  ]);
  const stat = (name: string) => lstatSync(join(root, name), { bigint: true });
  t.is(stat('globe').uid, 1234n);
  t.is(stat('local').uid, 77n);
  t.is(stat('local').mtimeNs, -1_500_000_000n);
  t.is(stat('wide').gid, 4_000_000_000n);
  t.is(stat('early').mtimeNs, -10_000_000_000n);
  t.is(stat('dir').mtimeNs, 1_234_567_890_123_456_789n);
});

rooted('Modes keep setuid, setgid and sticky whatever the umask and the owner.', (t) => {
  const { root } = unpacked(t, [
    { name: 'su', content: 'x', mode: 0o4755, uid: 5 },
    { name: 'shared', type: '5', mode: 0o2775, gid: 6 },
    { name: 'shared/child', content: 'x', mode: 0o666 },
    { name: 'tmp', type: '5', mode: 0o1777 },
    { name: 'fifo', type: '6', mode: 0o622 },
    { name: 'tty', type: '3', device: [5, 0], mode: 0o666, gid: 5 },
  ]);
  const modes = ['su', 'shared', 'shared/child', 'tmp', 'fifo', 'tty'].map(
    (name) => lstatSync(join(root, name)).mode & 0o7777,
  );
  t.deepEqual(modes, [0o4755, 0o2775, 0o666, 0o1777, 0o622, 0o666]);
  t.is(lstatSync(join(root, 'shared/child')).gid, 0);
});

rooted('The last entry of a name wins, whatever kinds follow each other.', (t) => {
  const { root, names } = unpacked(t, [
    { name: 'a', content: 'one' },
    { name: 'a', content: 'two' },
    { name: 'b', type: '5' },
    { name: 'b/deep/er/file', content: 'x' },
    { name: 'b', content: 'a file now' },
    { name: 'c', content: 'x' },
    { name: 'c', type: '5' },
    { name: 'c/d', content: 'x' },
    { name: 'c', type: '5', mode: 0o700 },
  ]);
  t.deepEqual(names, ['a', 'b', 'c/', 'c/d']);
  t.is(readFileSync(join(root, 'a'), 'utf8'), 'two');
  t.is(lstatSync(join(root, 'c')).mode & 0o777, 0o700);
});

rooted('Sparse files of all four formats have their holes and their bytes.', (t) => {
  const size = 1 << 20;
  const map10 = Buffer.alloc(512);
  map10.write('2\n0\n4\n1048572\n4\n');
  const old = Buffer.alloc(24 * 4);
  for (const [at, value] of [
    [0, 0],
    [12, 4],
    [24, size - 4],
    [36, 4],
  ] as const) {
    old.write(`${value.toString(8).padStart(11, '0')}\0`, at);
  }
  const { root } = unpacked(t, [
    {
      name: 'old',
      type: 'S',
      content: 'headtail',
      dialect: 'gnu',
      patch: [
        [386, old],
        [483, `${size.toString(8).padStart(11, '0')}\0`],
      ],
    },
    {
      name: 'x',
      content: 'headtail',
      pax: [
        ['GNU.sparse.size', String(size)],
        ['GNU.sparse.numblocks', '2'],
        ['GNU.sparse.offset', '0'],
        ['GNU.sparse.numbytes', '4'],
        ['GNU.sparse.offset', String(size - 4)],
        ['GNU.sparse.numbytes', '4'],
        ['path', 'v00'],
      ],
    },
    {
      name: 'x',
      content: 'headtail',
      pax: [
        ['GNU.sparse.map', `0,4,${size - 4},4`],
        ['GNU.sparse.size', String(size)],
        ['GNU.sparse.name', 'v01'],
      ],
    },
    {
      name: 'x',
      content: Buffer.concat([map10, Buffer.from('headtail')]),
      pax: [
        ['GNU.sparse.major', '1'],
        ['GNU.sparse.minor', '0'],
        ['GNU.sparse.name', 'v10'],
        ['GNU.sparse.realsize', String(size)],
      ],
    },
  ]);
  const want = Buffer.alloc(size);
  want.write('head');
  want.write('tail', size - 4);
  for (const name of ['old', 'v00', 'v01', 'v10']) {
    t.true(readFileSync(join(root, name)).equals(want), name);
    t.true(lstatSync(join(root, name)).blocks * 512 < size / 2, `${name} has holes`);
  }
});

rooted(
  'Attributes: file capabilities and user.* come and go, labels of the host are passed over.',
  (t) => {
    const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex'); // cap_net_bind_service=ep
    const { root } = unpacked(t, [
      {
        name: 'server',
        content: 'x',
        uid: 9,
        pax: [
          ['SCHILY.xattr.security.capability', capability],
          ['SCHILY.xattr.user.note', 'a=b\nc'],
          ['SCHILY.xattr.security.selinux', 'system_u:object_r:bin_t:s0'],
        ],
      },
      { name: 'dir', type: '5', pax: [['SCHILY.xattr.user.dir', 'yes']] },
      { name: 'link', type: '2', link: 'server', pax: [['SCHILY.xattr.user.nowhere', 'x']] },
    ]);
    const tar = layer(['pack', '--compression', 'none', root]).stdout;
    t.true(tar.includes('SCHILY.xattr.user.note=a=b\nc\n'));
    t.true(tar.includes('SCHILY.xattr.user.dir=yes\n'));
    t.true(
      tar.includes(Buffer.concat([Buffer.from('SCHILY.xattr.security.capability='), capability])),
    );
    t.false(tar.includes('selinux'));
  },
);

rooted(
  'gzip of many members, zstd of many and skippable frames, and plain tar give one and the same tree.',
  (t) => {
    const dir = tempDir(t);
    const tar = tarOf([
      { name: 'f', content: Buffer.alloc(300_000, 'ab') },
      { name: 'g', content: 'x' },
    ]);
    const zstd = (bytes: Buffer) => spawnSync('zstd', ['-qc'], { input: bytes }).stdout;
    const skippable = Buffer.from('502a4d1804000000deadbeef', 'hex');
    const blobs: Record<string, Buffer> = {
      plain: tar,
      gzip: gzipSync(tar),
      members: Buffer.concat([
        gzipSync(tar.subarray(0, 700)),
        gzipSync(''),
        gzipSync(tar.subarray(700)),
      ]),
      zstd: zstd(tar),
      frames: Buffer.concat([
        skippable,
        zstd(tar.subarray(0, 700)),
        skippable,
        zstd(tar.subarray(700)),
      ]),
    };
    let first: string[] | undefined;
    for (const [name, blob] of Object.entries(blobs)) {
      const run = unpack(tar, join(dir, name), { blob });
      t.is(run.error, '', `${name}: ${run.message}`);
      t.like(run.result, {
        diffId: digestOf(tar),
        blobBytes: blob.length,
        tarBytes: tar.length,
        entries: 2,
        unpackedBytes: 300_001,
      });
      first ??= listing(join(dir, name));
      t.deepEqual(listing(join(dir, name)), first);
    }
  },
);

rooted('An archive without its end mark is taken if the digest says that it is whole.', (t) => {
  const dir = tempDir(t);
  const tar = tarOf([{ name: 'f', content: 'x' }], false);
  t.is(unpack(tar, join(dir, 'whole')).error, '');
  t.is(
    unpack(tar, join(dir, 'part'), { diffId: digestOf(Buffer.from('other')) }).error,
    'LAYER_STREAM',
  );
});
