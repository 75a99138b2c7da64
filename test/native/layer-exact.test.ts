// SPDX-License-Identifier: Apache-2.0
// The exact tar of a layer comes back from its tree and its headers file, whoever made it.
// runs: host, lab

import { spawnSync } from 'node:child_process';
import {
  cpSync,
  linkSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { digestOf, layer, tempDir, unpack } from '../kit/layer-run.js';
import { tarOf } from '../kit/layer-tar.js';
import { needsBeside } from '../kit/needs.js';

const rooted = needsBeside(['root']);

function exact(t: ExecutionContext, tar: Buffer, what: string): void {
  const dir = tempDir(t);
  const headers = join(dir, 'headers');
  const run = unpack(tar, join(dir, 'root'), { headers });
  t.is(run.error, '', `${what}: ${run.message}`);
  const again = layer(['tar', '--headers', headers, join(dir, 'root')]);
  t.is(again.error, '', `${what}: ${again.message}`);
  t.is(digestOf(again.stdout), digestOf(tar), what);
}

function aTree(dir: string): string {
  const tree = join(dir, 'tree');
  mkdirSync(join(tree, 'deep/er'), { recursive: true });
  writeFileSync(join(tree, 'file'), Buffer.alloc(70_000, 'abc'));
  writeFileSync(join(tree, 'empty'), '');
  writeFileSync(join(tree, 'deep/er', 'n'.repeat(150)), 'long name');
  linkSync(join(tree, 'file'), join(tree, 'hard'));
  symlinkSync('s'.repeat(150), join(tree, 'soft'));
  writeFileSync(join(tree, 'sparse'), 'head');
  truncateSync(join(tree, 'sparse'), 3 << 20);
  writeFileSync(join(tree, 'sparse'), 'middle', { flag: 'r+' });
  return tree;
}

for (const format of ['gnu', 'pax', 'ustar', 'v7', 'oldgnu']) {
  rooted(`GNU tar's ${format} format comes back byte by byte.`, (t) => {
    const dir = tempDir(t);
    const tree = aTree(dir);
    const sparse = format === 'ustar' || format === 'v7' ? [] : ['--sparse'];
    const names = format === 'v7' ? ['file', 'empty', 'hard'] : ['.'];
    const made = spawnSync(
      'tar',
      ['-C', tree, `--format=${format}`, ...sparse, '-cf', '-', ...names],
      {
        maxBuffer: 1 << 26,
      },
    );
    exact(t, made.stdout, format);
  });
}

for (const version of ['0.0', '0.1', '1.0']) {
  rooted(`GNU tar's sparse format ${version} comes back byte by byte.`, (t) => {
    const dir = tempDir(t);
    const tree = aTree(dir);
    const args = ['-C', tree, '--format=pax', '-S', `--sparse-version=${version}`, '-cf', '-', '.'];
    exact(t, spawnSync('tar', args, { maxBuffer: 1 << 26 }).stdout, version);
  });
}

needsBeside(['root', 'python3'])(
  "Python's tarfile comes back byte by byte, in all its formats.",
  (t) => {
    const dir = tempDir(t);
    const tree = aTree(dir);
    const script = `import sys, tarfile
t = tarfile.open(fileobj=sys.stdout.buffer, mode='w|', format=getattr(tarfile, sys.argv[2]))
t.add(sys.argv[1], arcname='x')
t.close()`;
    for (const format of ['PAX_FORMAT', 'GNU_FORMAT']) {
      const made = spawnSync('python3', ['-c', script, tree, format], { maxBuffer: 1 << 26 });
      t.is(made.status, 0, made.error?.message ?? made.stderr.toString());
      exact(t, made.stdout, format);
    }
  },
);

needsBeside(['root', 'buildah'])('A layer that buildah commits comes back byte by byte.', (t) => {
  const dir = tempDir(t);
  const tree = aTree(dir);
  const script = `set -e
c=$(buildah from scratch); trap 'buildah rm $c >/dev/null' EXIT
buildah add -q $c tree / >/dev/null
buildah commit -q --disable-compression $c oci:layout:t >/dev/null`;
  const storage = { CONTAINERS_STORAGE_CONF: join(dir, 'storage.conf') };
  writeFileSync(
    storage.CONTAINERS_STORAGE_CONF,
    `[storage]\ndriver = "vfs"\ngraphroot = "${dir}/graph"\nrunroot = "${dir}/run"\n`,
  );
  const made = spawnSync('unshare', ['-m', 'sh', '-c', script], {
    cwd: join(tree, '..'),
    env: { ...process.env, ...storage, STORAGE_DRIVER: 'vfs' },
    timeout: 30_000,
  });
  t.is(made.status, 0, made.error?.message ?? made.stderr.toString());
  const blob = (digest: string) => readFileSync(join(dir, 'layout/blobs/sha256', digest.slice(7)));
  const json = (bytes: Buffer) => JSON.parse(bytes.toString());
  const index = json(readFileSync(join(dir, 'layout/index.json')));
  const manifest = json(blob(index.manifests[0].digest));
  exact(t, blob(manifest.layers[0].digest), 'buildah');
});

rooted(
  'Entries that replace earlier ones, whiteouts with content and junk behind the end come back too.',
  (t) => {
    const tar = Buffer.concat([
      tarOf([
        { name: 'a', content: 'first' },
        { name: 'a', content: 'second' },
        { name: 'dir/one', content: 'one' },
        { name: 'dir/deep/two', content: 'two' },
        { name: 'hard', type: '1', link: 'dir/one' },
        { name: 'dir', content: 'a file now' },
        { name: '.wh.gone', content: 'whiteouts are empty as a rule' },
        { name: 'a', content: 'third' },
        { name: 'a', type: '2', link: 'b' },
        {
          name: 's',
          content: 'abcdefgh',
          pax: [
            ['GNU.sparse.map', '0,4,100000,4'],
            ['GNU.sparse.size', '200000'],
          ],
        },
        { name: 's', content: '' },
      ]),
      Buffer.from('junk behind the end'),
    ]);
    const dir = tempDir(t);
    const headers = join(dir, 'headers');
    // The sparse file's replaced holes count as bytes: bring enough of them.
    const full = Buffer.concat([
      tarOf([{ name: 'big', content: Buffer.alloc(300_000, 1) }], false),
      tar,
    ]);
    exact(t, full, 'replaced');
    t.is(unpack(full, join(dir, 'root'), { headers }).error, '');
    rmSync(join(dir, 'root/hard'));
    t.is(layer(['tar', '--headers', headers, join(dir, 'root')]).error, '', 'links hold nothing');
  },
);

rooted('A tree that was changed, or a headers file that was, is refused.', (t) => {
  const dir = tempDir(t);
  const headers = join(dir, 'headers');
  const tar = tarOf([
    { name: 'f', content: 'content' },
    { name: 'd', type: '5' },
  ]);
  t.is(unpack(tar, join(dir, 'root'), { headers }).error, '');
  writeFileSync(join(dir, 'root/f'), 'CONTENT');
  t.is(layer(['tar', '--headers', headers, join(dir, 'root')]).error, 'LAYER_DIGEST');
  writeFileSync(join(dir, 'root/f'), 'c');
  t.is(layer(['tar', '--headers', headers, join(dir, 'root')]).error, 'LAYER_DIGEST');
  rmSync(join(dir, 'root/f'));
  symlinkSync('/etc/passwd', join(dir, 'root/f'));
  t.is(layer(['tar', '--headers', headers, join(dir, 'root')]).error, 'LAYER_DIGEST');
  rmSync(join(dir, 'root/f'));
  writeFileSync(join(dir, 'root/f'), 'content');
  t.is(layer(['tar', '--headers', headers, join(dir, 'root')]).error, '');
  const whole = readFileSync(headers);
  for (let at = 0; at < whole.length; at += 3) {
    const bad = Buffer.from(whole);
    bad[at] = (bad[at] ?? 0) ^ 0x21;
    cpSync(headers, join(dir, 'bad'));
    writeFileSync(join(dir, 'bad'), bad);
    const run = layer(['tar', '--headers', join(dir, 'bad'), join(dir, 'root')]);
    // Bytes that carry no meaning may change: then the tar is still the right one.
    if (run.error === '') t.true(run.stdout.equals(tar), `byte ${at}`);
    else t.regex(run.error, /^LAYER_(STREAM|DIGEST|ESCAPE|TAR)$/, `byte ${at}: ${run.message}`);
  }
});
