// SPDX-License-Identifier: Apache-2.0
// unpackLayer and packLayer with the real wherry-layer: backpressure, abort, and whose error it is.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { packLayer } from '../../../images/layer/pack.js';
import { unpackLayer } from '../../../images/layer/unpack.js';
import { CodedError } from '../../../protocol/error.js';
import type { Digest } from '../../../protocol/name.js';
import { digestOf, listing, tempDir } from '../../kit/layer-run.js';
import { tarOf } from '../../kit/layer-tar.js';
import { needs } from '../../kit/needs.js';

const rooted = needs(['root']);

const tar = tarOf([
  { name: 'dir', type: '5' },
  { name: 'dir/file', content: Buffer.alloc(2_000_000, 'content') },
]);
const blob = gzipSync(tar);
const digests = {
  diffId: digestOf(tar) as Digest,
  blob: digestOf(blob) as Digest,
  size: blob.length,
};
const plain = { diffId: digestOf(tar) as Digest, blob: digestOf(tar) as Digest, size: tar.length };

async function* pieces(bytes: Buffer, step = 1000): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step);
}

rooted(
  'A layer from a stream or from an iterable ends up in the folder, with its figures.',
  async (t) => {
    const dir = tempDir(t);
    const seen: number[] = [];
    const sources = { iterable: pieces(blob), readable: Readable.from(pieces(blob)) };
    for (const [name, source] of Object.entries(sources)) {
      const unpacked = await unpackLayer({
        ...digests,
        source,
        dir: join(dir, name),
        headers: join(dir, `${name}.headers`),
        onProgress: (bytes) => seen.push(bytes),
      });
      const { diffId, blob: digest } = digests;
      t.like(unpacked, { diffId, blob: digest, blobBytes: blob.length, entries: 2 });
      t.is(unpacked.unpackedBytes, 2_000_000);
      t.is(readFileSync(join(dir, name, 'dir/file')).length, 2_000_000);
      t.is(
        readFileSync(join(dir, `${name}.headers`))
          .subarray(0, 8)
          .toString(),
        'WHRYHDR1',
      );
      t.is(seen.at(-1), blob.length);
    }
  },
);

rooted(
  'A wrong layer is LAYER_DIGEST, a cut one LAYER_STREAM, with the facts of the program.',
  async (t) => {
    const dir = tempDir(t);
    const other = digestOf(Buffer.from('other')) as Digest;
    const wrong = unpackLayer({
      ...digests,
      diffId: other,
      source: pieces(blob),
      dir: join(dir, 'a'),
    });
    const digest = await t.throwsAsync(wrong, { instanceOf: CodedError });
    t.is(digest.code, 'LAYER_DIGEST');
    t.true(digest.message.includes(digests.blob));
    const cut = unpackLayer({
      ...digests,
      source: pieces(blob.subarray(0, 900)),
      dir: join(dir, 'b'),
    });
    t.is((await t.throwsAsync(cut, { instanceOf: CodedError })).code, 'LAYER_STREAM');
  },
);

rooted(
  'A child that ends early does not let the source run on: its own code is what is thrown.',
  async (t) => {
    let handed = 0;
    let left = false;
    async function* endless(): AsyncGenerator<Buffer> {
      try {
        for (;;) {
          handed += 65536;
          yield Buffer.alloc(65536, 'no tar at all');
        }
      } finally {
        left = true;
      }
    }
    const dir = join(tempDir(t), 'root');
    const run = unpackLayer({ ...plain, size: 2 ** 40, source: endless(), dir });
    t.is((await t.throwsAsync(run, { instanceOf: CodedError })).code, 'LAYER_TAR');
    t.true(left, 'the source was closed');
    t.true(handed < 4 << 20, `${handed} bytes were asked for`);
  },
);

rooted("The source's own error wins over the child's complaint about the cut.", async (t) => {
  const dir = join(tempDir(t), 'root');
  const lost = new CodedError('REGISTRY_UNREACHABLE', 'the link is gone');
  async function* failing(): AsyncGenerator<Buffer> {
    yield blob.subarray(0, 500);
    throw lost;
  }
  t.is(await t.throwsAsync(unpackLayer({ ...digests, source: failing(), dir })), lost);
});

rooted('An abort ends the child at once, also while the source says nothing.', async (t) => {
  const dir = join(tempDir(t), 'root');
  const reason = new CodedError('CLOSED', 'told to stop');
  const controller = new AbortController();
  async function* stalling(): AsyncGenerator<Buffer> {
    yield blob.subarray(0, 500);
    await new Promise((resolve) => setTimeout(resolve, 20_000).unref());
  }
  const startedAt = performance.now();
  const run = unpackLayer({ ...digests, source: stalling(), dir, signal: controller.signal });
  setTimeout(() => controller.abort(reason), 100);
  t.is(await t.throwsAsync(run), reason);
  t.true(performance.now() - startedAt < 10_000);
  await t.throwsAsync(
    unpackLayer({ ...digests, source: pieces(blob), dir, signal: controller.signal }),
  );
});

/** The wherry-layer that this process has started. */
function childPid(): number {
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8')
    .trim()
    .split(' ');
  const ours = children.find((pid) =>
    readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('wherry'),
  );
  return Number(ours);
}

rooted(
  'While the child takes nothing, the source is asked for no more than a pipe full.',
  async (t) => {
    const dir = join(tempDir(t), 'root');
    const big = tarOf([{ name: 'big', content: Buffer.alloc(16 << 20, 'x') }]);
    let handed = 0;
    let handedWhileStopped = 0;
    async function* watched(): AsyncGenerator<Buffer> {
      for (let at = 0; at < big.length; at += 65536) {
        if (at === 65536) {
          const pid = childPid();
          process.kill(pid, 'SIGSTOP');
          handed = 0;
          setTimeout(() => {
            handedWhileStopped = handed;
            process.kill(pid, 'SIGCONT');
          }, 500);
        }
        handed += 65536;
        yield big.subarray(at, at + 65536);
      }
    }
    const digest = digestOf(big) as Digest;
    await unpackLayer({ diffId: digest, blob: digest, size: big.length, source: watched(), dir });
    t.log(`${handedWhileStopped / 1024} KiB`);
    t.true(handedWhileStopped > 0 && handedWhileStopped <= 1 << 20);
  },
);

rooted('packLayer writes a blob that unpackLayer takes, in each compression.', async (t) => {
  const dir = tempDir(t);
  mkdirSync(join(dir, 'tree/sub'), { recursive: true });
  writeFileSync(join(dir, 'tree/sub/-file'), 'x');
  for (const compression of ['zstd', 'gzip', 'none'] as const) {
    const out = join(dir, `${compression}.blob`);
    const packed = await packLayer({
      dir: join(dir, 'tree'),
      compression,
      mtime: 0,
      owner: 'root',
      out,
    });
    const bytes = readFileSync(out);
    t.like(packed, { digest: digestOf(bytes), size: bytes.length, entries: 2 });
    const root = join(dir, compression);
    const { digest, size, diffId } = packed;
    await unpackLayer({ source: pieces(bytes), diffId, blob: digest, size, dir: root });
    t.is(listing(root).length, 2);
  }
  const missing = packLayer({ dir: join(dir, 'gone'), compression: 'zstd', out: join(dir, 'x') });
  t.is((await t.throwsAsync(missing, { instanceOf: CodedError })).code, 'BOX_SYSTEM');
});
