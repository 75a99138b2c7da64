// SPDX-License-Identifier: Apache-2.0
// Hostile layers against the real wherry-layer: each is refused with its code and the entry's name, and nothing is
// written outside the root.
// runs: host, lab

import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { layer, listing, tempDir, unpack } from '../kit/layer-run.js';
import { base256, entryBytes, type RawEntry, tarOf } from '../kit/layer-tar.js';
import { needsBeside } from '../kit/needs.js';

const rooted = needsBeside(['root']);

/** Beside the root lies a file that no layer may touch. */
function attack(t: ExecutionContext, tar: Buffer, code: string, named: string): void {
  const dir = tempDir(t);
  writeFileSync(join(dir, 'secret'), 'untouched');
  mkdirSync(join(dir, 'outside'));
  const run = unpack(tar, join(dir, 'root'), { headers: join(dir, 'headers') });
  t.is(run.error, code, run.message);
  t.true(run.message.includes(named), `"${run.message}" does not name ${named}`);
  t.is(readFileSync(join(dir, 'secret'), 'utf8'), 'untouched');
  t.deepEqual(listing(join(dir, 'outside')), []);
}

const escapes: ReadonlyArray<readonly [string, readonly RawEntry[], string]> = [
  ['"../secret" climbs out', [{ name: '../secret', content: 'x' }], '../secret'],
  ['"a/../../secret" climbs out', [{ name: 'a/../../secret', content: 'x' }], 'a/../../secret'],
  ['"/../secret" climbs out', [{ name: '/../secret', content: 'x' }], '/../secret'],
  ['"a/.." ends upwards', [{ name: 'a/..', type: '5' }], 'a/..'],
  [
    'a PAX path climbs out behind an honest name',
    [{ name: 'honest', content: 'x', pax: [['path', '../secret']] }],
    '../secret',
  ],
  [
    'a GNU sparse name climbs out',
    [{ name: 'honest', content: 'x', pax: [['GNU.sparse.name', '../secret']] }],
    '../secret',
  ],
  [
    'a relative symlink is made and then written through',
    [
      { name: 'door', type: '2', link: '../outside' },
      { name: 'door/file', content: 'x' },
    ],
    'door',
  ],
  [
    'an absolute symlink is made and then written through',
    [
      { name: 'etc', type: '2', link: '/etc' },
      { name: 'etc/wherry-attack', content: 'x' },
    ],
    'etc',
  ],
  [
    'a chain of symlinks deep in the tree is written through',
    [
      { name: 'a/b', type: '2', link: '..' },
      { name: 'a/b/b/b/secret', content: 'x' },
    ],
    'a/b',
  ],
  [
    'a symlink that stays inside is written through all the same',
    [
      { name: 'real', type: '5' },
      { name: 'alias', type: '2', link: 'real' },
      { name: 'alias/file', content: 'x' },
    ],
    'alias',
  ],
  [
    'a folder is replaced by a symlink, then a file is put into it',
    [
      { name: 'dir', type: '5' },
      { name: 'dir/kept', content: 'x' },
      { name: 'dir', type: '2', link: '/' },
      { name: 'dir/file', content: 'x' },
    ],
    'dir',
  ],
  [
    'a hard link to a file outside by ".."',
    [{ name: 'link', type: '1', link: '../secret' }],
    '../secret',
  ],
  [
    'a hard link whose target goes through a symlink',
    [
      { name: 'door', type: '2', link: '..' },
      { name: 'link', type: '1', link: 'door/secret' },
    ],
    'link',
  ],
  [
    'a whiteout through a symlink removes nothing outside',
    [
      { name: 'door', type: '2', link: '..' },
      { name: 'door/.wh.secret', content: '' },
    ],
    'door',
  ],
  [
    'an opaque mark through a symlink',
    [
      { name: 'door', type: '2', link: '../outside' },
      { name: 'door/.wh..wh..opq', content: '' },
    ],
    'door',
  ],
  ['a whiteout named ".wh..."', [{ name: 'a/.wh...', content: '' }], '.wh...'],
  ['a whiteout named ".wh.."', [{ name: '.wh..', content: '' }], '.wh..'],
  ['a whiteout of nothing', [{ name: '.wh.', content: '' }], '.wh.'],
  [
    'an overlay redirect attribute',
    [{ name: 'dir', type: '5', pax: [['SCHILY.xattr.trusted.overlay.redirect', '/other']] }],
    'trusted.overlay.redirect',
  ],
];

for (const [title, entries, named] of escapes) {
  rooted(`Escape: ${title}.`, (t) => attack(t, tarOf(entries), 'LAYER_ESCAPE', named));
}

rooted('Escape: a GNU long name climbs out.', (t) => {
  const long: RawEntry = {
    name: '././@LongLink',
    type: 'L',
    content: '../secret\0',
    dialect: 'gnu',
  };
  attack(t, tarOf([long, { name: 'honest', content: 'x', dialect: 'gnu' }]), 'LAYER_ESCAPE', '..');
});

rooted('Escape: an entry with ".." in its ustar prefix.', (t) => {
  const entry: RawEntry = { name: 'secret', content: 'x', patch: [[345, '..']] };
  attack(t, tarOf([entry]), 'LAYER_ESCAPE', '../secret');
});

const malformed: ReadonlyArray<readonly [string, readonly RawEntry[], string]> = [
  ['a hard link to /etc/passwd', [{ name: 'l', type: '1', link: '/etc/passwd' }], 'l: '],
  ['a hard link to nothing', [{ name: 'lost/l', type: '1', link: 'gone' }], 'lost/l'],
  [
    'a hard link to a folder',
    [
      { name: 'd', type: '5' },
      { name: 'l', type: '1', link: 'd' },
    ],
    'l: ',
  ],
  [
    'a hard link to a whiteout',
    [
      { name: '.wh.gone', content: '' },
      { name: 'l', type: '1', link: 'gone' },
    ],
    'l: ',
  ],
  ['a hard link to the root', [{ name: 'l', type: '1', link: './' }], 'l: '],
  ['a file in the place of the root', [{ name: './', content: '', patch: [[0, '.\0']] }], 'root'],
  [
    'a file below a file',
    [
      { name: 'f', content: 'x' },
      { name: 'f/g', content: 'x' },
    ],
    'f/g',
  ],
  ['an unknown type of entry', [{ name: 'odd', type: 'Z' }], 'odd'],
  ['a name longer than PATH_MAX', [{ name: 'n', pax: [['path', 'a/'.repeat(2100)]] }], '4095'],
  [
    'a part of a name longer than NAME_MAX',
    [{ name: 'n', pax: [['path', 'b'.repeat(256)]] }],
    '255',
  ],
  ['a NUL in a PAX path', [{ name: 'n', pax: [['path', 'a\0b']] }], 'NUL'],
  ['a name of nothing', [{ name: '', content: 'x' }], 'without a name'],
  ['a symlink to nothing', [{ name: 's', type: '2' }], 'without a target'],
  ['a wrong checksum', [{ name: 'c', checksum: 1 }], 'checksum'],
  ['a negative size', [{ name: 'c', patch: [[124, base256(-1, 12)]] }], 'size'],
  ['a size that is no number', [{ name: 'c', patch: [[124, 'zzz']] }], 'size'],
  ['an owner of 2^32 - 1', [{ name: 'c', patch: [[108, base256(0xffffffff, 8)]] }], 'uid'],
  ['a PAX size that is negative', [{ name: 'c', pax: [['size', '-1']] }], 'size'],
  ['a PAX record that is longer than its header', [pax('9999 path=x\n')], 'record'],
  ['a PAX record of length 0', [pax('0 path=x\n')], 'record'],
  ['a PAX record without "="', [pax('8 pathx\n')], 'key'],
  ['a global header that renames entries', [{ ...pax('10 path=x\n'), type: 'g' }], 'global'],
  ['an extended header without an entry', [pax('10 path=x\n')], 'without an entry'],
  ['two extended headers in a row', [pax('10 path=x\n'), pax('10 path=y\n')], 'two extended'],
  ['a sparse map that overlaps itself', [sparse('0,4,2,4', 'abcdefgh', 100)], 's: the map'],
  ['a sparse map beyond the file', [sparse('98,4', 'abcd', 100)], 's: the map'],
  ['a sparse map near 2^63', [sparse('9223372036854775807,4', 'abcd', 100)], 's: the map'],
  ['a sparse map that asks for more than is stored', [sparse('0,9', 'abcd', 100)], 's: '],
  ['a sparse map that asks for less than is stored', [sparse('0,2', 'abcd', 100)], 's: '],
];

for (const [title, entries, named] of malformed) {
  rooted(`Malformed: ${title}.`, (t) => attack(t, tarOf(entries), 'LAYER_TAR', named));
}

function pax(content: string): RawEntry {
  return { name: 'pax', type: 'x', content };
}

function sparse(map: string, content: string, size: number): RawEntry {
  const records = [
    ['GNU.sparse.map', map],
    ['GNU.sparse.size', String(size)],
  ] as const;
  return { name: 's', content, pax: records };
}

const bounds: ReadonlyArray<readonly [string, readonly RawEntry[]]> = [
  ['a file of 65 GiB', [{ name: 'f', patch: [[124, base256(65 * 2 ** 30, 12)]] }]],
  ['a sparse file of 2^62 bytes', [sparse('0,4', 'abcd', 2 ** 62)]],
  ['an extended header of 2 MiB', [{ ...pax('x'.repeat(2 << 20)) }]],
];

for (const [title, entries] of bounds) {
  rooted(`Bound: ${title}.`, (t) => attack(t, tarOf(entries), 'LAYER_LIMIT', ''));
}

rooted('Bound: a header that lies about its size runs into the end.', (t) => {
  const entry: RawEntry = { name: 'liar', content: 'short', size: 1 << 30 };
  attack(t, tarOf([entry]), 'LAYER_STREAM', 'cut short');
});

rooted('Bound: a small file that unpacks to more than --unpacked-max is stopped at once.', (t) => {
  const dir = tempDir(t);
  const tar = tarOf([{ name: 'bomb', content: Buffer.alloc(8 << 20) }]);
  const run = unpack(tar, join(dir, 'root'), { args: ['--unpacked-max', '1000000'] });
  t.is(run.error, 'LAYER_LIMIT', run.message);
  t.true(lstatSync(join(dir, 'root/bomb')).size <= 1_000_000);
});

rooted('Bound: links that let the same bytes be replaced again and again are stopped.', (t) => {
  const big: RawEntry = { name: 'big', content: Buffer.alloc(100_000, 7) };
  const again = Array.from({ length: 50 }, () => [
    { name: 'l', type: '1', link: 'big' },
    { name: 'l', content: '' },
  ]).flat();
  attack(t, tarOf([big, ...again]), 'LAYER_LIMIT', 'replace');
});

rooted('A device in an odd place is made as a node and never opened.', (t) => {
  const dir = tempDir(t);
  const tar = tarOf([
    { name: 'usr/lib/sda', type: '4', device: [8, 0], mode: 0o666 },
    { name: 'usr/lib/sda', content: 'now a file' },
    { name: 'null', type: '3', device: [1, 3] },
    { name: 'null', type: '6' },
  ]);
  t.is(unpack(tar, join(dir, 'root')).error, '');
  t.is(readFileSync(join(dir, 'root/usr/lib/sda'), 'utf8'), 'now a file');
  t.true(lstatSync(join(dir, 'root/null')).isFIFO());
});

rooted('A file written over a hard link leaves the other name alone.', (t) => {
  const dir = tempDir(t);
  const tar = tarOf([
    { name: 'a', content: 'first' },
    { name: 'b', type: '1', link: 'a' },
    { name: 'b', content: 'second' },
  ]);
  t.is(unpack(tar, join(dir, 'root')).error, '');
  t.is(readFileSync(join(dir, 'root/a'), 'utf8'), 'first');
});

rooted('A file written over a symlink replaces the link and not what it names.', (t) => {
  const dir = tempDir(t);
  writeFileSync(join(dir, 'secret'), 'untouched');
  const tar = tarOf([
    { name: 's', type: '2', link: '../secret' },
    { name: 's', content: 'mine' },
  ]);
  t.is(unpack(tar, join(dir, 'root')).error, '');
  t.is(readFileSync(join(dir, 'secret'), 'utf8'), 'untouched');
  t.true(lstatSync(join(dir, 'root/s')).isFile());
});

rooted('A folder that is not empty, or a symlink in its place, is refused.', (t) => {
  const dir = tempDir(t);
  writeFileSync(join(dir, 'there'), '');
  t.is(unpack(tarOf([]), dir).error, 'USAGE');
  t.true(existsSync(join(dir, 'there')));
  mkdirSync(join(dir, 'outside'));
  symlinkSync('outside', join(dir, 'link'));
  t.is(unpack(tarOf([{ name: 'f' }]), join(dir, 'link')).error, 'BOX_SYSTEM');
  t.deepEqual(listing(join(dir, 'outside')), []);
});

rooted('A zero block inside the archive is refused.', (t) => {
  const [head, body] = entryBytes({ name: 'a', content: 'x' });
  const tar = Buffer.concat(
    [head ?? '', body ?? '', Buffer.alloc(512), tarOf([{ name: 'b' }])].map((b) => Buffer.from(b)),
  );
  attack(t, tar, 'LAYER_TAR', 'lone zero block');
});

rooted('Unknown verbs and options are USAGE.', (t) => {
  t.is(layer(['frob']).error, 'USAGE');
  t.is(layer([]).error, 'USAGE');
  t.is(layer(['unpack', '--diff-id', 'sha256:12', '/x']).error, 'USAGE');
  t.is(layer(['unpack', '--owner', 'root', '/x']).error, 'USAGE');
  t.is(layer(['pack', '--level', '23', '/x']).error, 'USAGE');
});
