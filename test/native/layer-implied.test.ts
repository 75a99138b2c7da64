// SPDX-License-Identifier: Apache-2.0
// wherry-layer unpack --implied: the folders that a layer does not bring itself, and those that it brings too late.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { unpackLayer } from '../../images/layer/unpack.js';
import { codeOf } from '../../protocol/error.js';
import { tempFolder } from '../kit/images-certs.js';
import { digestFor } from '../kit/images-server.js';
import { type RawEntry, tarOf } from '../kit/layer-tar.js';
import { needs } from '../kit/needs.js';

const asRoot = needs(['root']);

async function impliedBy(dir: string, entries: readonly RawEntry[]): Promise<string[]> {
  const tar = tarOf(entries);
  const blob = gzipSync(tar);
  const implied = join(dir, 'implied');
  await unpackLayer({
    source: Readable.from([blob]),
    diffId: digestFor(tar),
    blob: digestFor(blob),
    size: blob.length,
    dir: join(dir, 'fs'),
    implied,
  });
  return readFileSync(implied, 'utf8').split('\0').slice(0, -1);
}

asRoot(
  'what an entry needs and no entry brought is listed, parents first; what is brought is not',
  async (t) => {
    const found = await impliedBy(tempFolder(t), [
      { name: 'a/', type: '5' },
      { name: 'a/b/c/file' },
      { name: 'a/b/other' },
      { name: 'x/y/', type: '5' },
      { name: 'x/', type: '5', mode: 0o700 },
      { name: 'z/', type: '5' },
    ]);
    t.deepEqual(
      found.filter((line) => line !== '-z' && line !== '-a'),
      ['+a/b', '+a/b/c', '+x', '-x'],
    );
  },
);

asRoot('a folder in the place of a whiteout is new, and not listed', async (t) => {
  const found = await impliedBy(tempFolder(t), [{ name: '.wh.gone' }, { name: 'gone/sub/file' }]);
  t.deepEqual(found, ['+gone/sub']);
});

asRoot('an archive that brings its folders lists nothing', async (t) => {
  t.deepEqual(await impliedBy(tempFolder(t), [{ name: 'a/', type: '5' }, { name: 'a/file' }]), []);
});

asRoot(
  'Attack: folders without end are refused with LAYER_LIMIT before the list fills the disk',
  async (t) => {
    // 16 folders with names of 240 bytes each: 33 kB of list an entry.
    const deep = (at: number): string =>
      Array.from({ length: 16 }, (_, level) => `${at}-${level}-`.padEnd(240, 'd')).join('/');
    const entries = Array.from(
      { length: 560 },
      (_, at): RawEntry => ({ name: 'x', pax: [['path', `${deep(at)}/f`]] }),
    );
    const error = await t.throwsAsync(impliedBy(tempFolder(t), entries));
    t.is(codeOf(error), 'LAYER_LIMIT', error?.message);
  },
);
