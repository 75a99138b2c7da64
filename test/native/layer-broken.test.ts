// SPDX-License-Identifier: Apache-2.0
// Broken streams: cut anywhere, any byte changed, the wrong layer. None ever ends in success.
// runs: host, lab

import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { digestOf, layer, tempDir, unpack } from '../kit/layer-run.js';
import { tarOf } from '../kit/layer-tar.js';
import { needsBeside } from '../kit/needs.js';

const rooted = needsBeside(['root']);

const tar = tarOf([
  { name: 'dir', type: '5' },
  { name: 'dir/file', content: 'some bytes', pax: [['mtime', '1.5']] },
  { name: 'link', type: '1', link: 'dir/file' },
]);
const blobs: Readonly<Record<string, Buffer>> = {
  plain: tar,
  gzip: gzipSync(tar),
  zstd: spawnSync('zstd', ['-qc', '--check'], { input: tar }).stdout,
};

for (const [kind, blob] of Object.entries(blobs)) {
  rooted(`A ${kind} layer that is cut short at many places is LAYER_STREAM.`, (t) => {
    const dir = join(tempDir(t), 'root');
    const step = Math.ceil(blob.length / 80);
    for (let cut = 0; cut < blob.length; cut += step) {
      const run = layer(
        [
          'unpack',
          '--diff-id',
          digestOf(tar),
          '--blob',
          digestOf(blob),
          '--size',
          String(blob.length),
          dir,
        ],
        blob.subarray(0, cut),
      );
      t.is(run.error, 'LAYER_STREAM', `at ${cut}: ${run.message}`);
      rmSync(dir, { recursive: true, force: true });
    }
  });

  rooted(`A ${kind} layer with any one byte changed is refused.`, (t) => {
    const dir = join(tempDir(t), 'root');
    // A plain tar has 3 KiB of much the same bytes: every eleventh is enough there.
    const step = kind === 'plain' ? 11 : 1;
    for (let at = 0; at < blob.length; at += step) {
      const bad = Buffer.from(blob);
      bad[at] = (bad[at] ?? 0) ^ 0x41;
      const run = layer(['unpack', '--diff-id', digestOf(tar), '--blob', digestOf(blob), dir], bad);
      t.regex(run.error, /^LAYER_/, `byte ${at}: ${run.error} ${run.message}`);
      rmSync(dir, { recursive: true, force: true });
    }
  });

  rooted(`Bytes behind the end of a ${kind} layer are refused.`, (t) => {
    const dir = join(tempDir(t), 'root');
    const longer = Buffer.concat([blob, Buffer.from('more')]);
    const run = layer(
      ['unpack', '--diff-id', digestOf(tar), '--size', String(blob.length), dir],
      longer,
    );
    t.regex(run.error, /^LAYER_(STREAM|DIGEST)$/, run.message);
  });
}

rooted('The right stream of another layer is LAYER_DIGEST, by blob and by diffID.', (t) => {
  const dir = tempDir(t);
  const other = digestOf(Buffer.from('other'));
  t.is(unpack(tar, join(dir, 'a'), { diffId: other }).error, 'LAYER_DIGEST');
  const run = layer(['unpack', '--diff-id', digestOf(tar), '--blob', other, join(dir, 'b')], tar);
  t.is(run.error, 'LAYER_DIGEST');
});

rooted('Padding behind the end mark counts for the diffID.', (t) => {
  const dir = tempDir(t);
  const padded = Buffer.concat([tar, Buffer.alloc(7777)]);
  t.is(unpack(padded, join(dir, 'a')).result['tarBytes'], padded.length);
  t.is(unpack(padded, join(dir, 'b'), { diffId: digestOf(tar) }).error, 'LAYER_DIGEST');
});

rooted('A zstd frame that wants a window of 256 MiB is refused before it is allocated.', (t) => {
  const dir = tempDir(t);
  const frame = Buffer.from('28b52ffd0090010000', 'hex'); // window descriptor 0x90: 2^(10+18)
  const run = unpack(tar, join(dir, 'root'), { blob: frame });
  t.is(run.error, 'LAYER_LIMIT', run.message);
  t.regex(run.message, /2\^27 bytes \(128 MiB\).*--long=27 or less/);
});

rooted('A zstd window that would take a small device’s memory is refused by --window-max.', (t) => {
  const dir = tempDir(t);
  const big = tarOf([{ name: 'noise', content: randomBytes(20 << 20) }]);
  const blob = spawnSync('zstd', ['-qc', '--long=24'], { input: big, maxBuffer: 1 << 26 }).stdout;
  const small = unpack(big, join(dir, 'small'), { blob, args: ['--window-max', '23'] });
  t.is(small.error, 'LAYER_LIMIT', small.message);
  t.regex(small.message, /2\^23 bytes \(8 MiB\)/);
  t.is(unpack(big, join(dir, 'large'), { blob, args: ['--window-max', '24'] }).error, '');
  t.is(unpack(big, join(dir, 'none'), { blob, args: ['--window-max', '28'] }).error, 'USAGE');
});

rooted('A gzip bomb stops at --unpacked-max.', (t) => {
  const dir = tempDir(t);
  const bomb = tarOf([{ name: 'zeros', content: Buffer.alloc(50 << 20) }]);
  const run = unpack(bomb, join(dir, 'root'), {
    blob: gzipSync(bomb),
    args: ['--unpacked-max', '65536'],
  });
  t.is(run.error, 'LAYER_LIMIT', run.message);
});

rooted('A headers file of a failed unpacking is not taken for a whole one.', (t) => {
  const dir = tempDir(t);
  const headers = join(dir, 'headers');
  t.is(
    unpack(tar, join(dir, 'root'), { headers, diffId: digestOf(Buffer.from('x')) }).error,
    'LAYER_DIGEST',
  );
  t.is(layer(['tar', '--headers', headers, join(dir, 'root')]).error, 'LAYER_STREAM');
});
