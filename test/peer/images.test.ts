// SPDX-License-Identifier: Apache-2.0
// Images between the tools: what from-dir packs, unpacked by umoci, by podman and by us, is the same file for file;
// what buildah and podman of Debian build is pulled by a device; Nix's many layers.

import { randomBytes } from 'node:crypto';
import { createReadStream, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import { type ExecOptions, run } from '../../adapters/exec.js';
import { unpackLayer } from '../../images/layer/unpack.js';
import { openLayout } from '../../images/layout/layout.js';
import { parseConfig } from '../../images/oci/config.js';
import { parseManifest } from '../../images/oci/manifest.js';
import type { Digest } from '../../protocol/name.js';
import { aDevice } from '../kit/images-device.js';
import { startDockerRegistry } from '../kit/images-docker-registry.js';
import { dockerWords, fileEntry, folder, gzipLayer, manifestOf } from '../kit/images-forms.js';
import { listing } from '../kit/images-listing.js';
import { serveBlobs, startServer } from '../kit/images-server.js';
import { needs } from '../kit/needs.js';

const asRoot = needs(['root']);
const withUmoci = needs(['root', 'umoci', 'podman', 'python3', 'setcap']);
const withBuildah = needs(['root', 'buildah', 'podman', 'skopeo', 'docker-registry']);
const wherryImage = fileURLToPath(new URL('../../images/cli/main.js', import.meta.url));

/** In lower case: podman takes the path of a layout for part of a name. */
function lowFolder(t: ExecutionContext): string {
  const dir = join(tmpdir(), `wherry-peer-${randomBytes(6).toString('hex')}`);
  mkdirSync(dir);
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

async function must(
  t: ExecutionContext,
  program: string,
  args: readonly string[],
  options: ExecOptions = {},
): Promise<string> {
  const { code, stdout, stderr } = await run(program, args, { timeoutMs: 120_000, ...options });
  t.is(code, 0, `${program} ${args.join(' ')}: ${stderr}${stdout}`);
  return stdout;
}

const storageOf = (dir: string, name: string): string[] => [
  ...['--root', join(dir, name), '--runroot', join(dir, `${name}-run`), '--storage-driver', 'vfs'],
];

/** Everything that a tree may hold and a layer may carry. */
const treeScript = `set -e; umask 022
mkdir -p bin etc/deep/er empty var/tmp "with space"
printf one > bin/tool; chmod 4755 bin/tool
printf two > etc/secret; chmod 600 etc/secret; chown 12:34 etc/secret
printf three > "with space/ümlaut"; chmod 2775 "with space"; chmod 1777 var/tmp
ln -s ../bin/tool etc/link; ln -s /nowhere etc/dangling; ln etc/secret etc/hard
mkfifo etc/pipe; mknod etc/null c 1 3
python3 -c "import os; os.setxattr('etc/secret','user.note',b'hello')"
cp bin/tool bin/ping; setcap cap_net_raw+ep bin/ping
printf '' > empty/zero; truncate -s 1M etc/sparse; printf x >> etc/sparse
touch -d 2020-02-03T04:05:06Z etc/deep/er etc/secret bin/tool
`;

withUmoci(
  'what from-dir packs is the same for umoci, for podman and for us, file for file',
  async (t) => {
    const dir = lowFolder(t);
    const tree = join(dir, 'tree');
    mkdirSync(tree);
    await must(t, 'sh', ['-c', treeScript], { cwd: tree });
    const layout = join(dir, 'layout');
    const made = [
      'from-dir',
      tree,
      '-t',
      'tree',
      '-o',
      `oci:${layout}:v1`,
      '--created',
      '2024-05-06T07:08:09Z',
    ];
    await must(t, process.execPath, [wherryImage, ...made, '--root', dir]);

    await must(t, 'umoci', ['unpack', '--image', `${layout}:v1`, join(dir, 'bundle')]);
    const umoci = await listing(join(dir, 'bundle/rootfs'));

    const podman = storageOf(dir, 'podman');
    await must(t, 'podman', [...podman, 'pull', `oci:${layout}:v1`]);
    const id = (await must(t, 'podman', [...podman, 'images', '-q'])).trim();
    const mounted = (await must(t, 'podman', [...podman, 'image', 'mount', id])).trim();
    const theirs = await listing(mounted);
    await must(t, 'podman', [...podman, 'image', 'unmount', '-f', id]);

    const own = join(dir, 'own');
    const { blobs, find } = await openLayout(layout);
    const manifest = parseManifest(await blobs.read((await find('v1')).digest));
    if (manifest.kind !== 'manifest') throw new Error('from-dir makes no index');
    const [diffId = 'sha256:' as Digest] = parseConfig(
      await blobs.read(manifest.config.digest),
    ).diffIds;
    for (const { digest, size } of manifest.layers) {
      const source = createReadStream(join(layout, 'blobs/sha256', digest.slice(7)));
      await unpackLayer({ source, diffId, blob: digest, size, dir: own });
    }
    const ours = await listing(own);

    t.deepEqual(umoci, ours);
    t.deepEqual(theirs, ours);
    t.true(ours.length > 18);
    const text = ours.join('\n');
    for (const mark of [
      /^bin\/tool \| file 1 \| 4755 \| 0:0 \| 1714979289/m,
      /^bin\/ping .*security\.capability/m,
      /^etc\/secret \| file 2 \| 600 .*user\.note/m,
      /^etc\/link \| link .*\.\.\/bin\/tool/m,
      /^var\/tmp \| folder \| 1777/m,
      /^etc\/pipe \| node/m,
      /^with space\/ümlaut/m,
    ]) {
      t.regex(text, mark);
    }
  },
);

withBuildah(
  'a device pulls what buildah and podman build, pushed in every form that they know',
  async (t) => {
    const dir = lowFolder(t);
    const host = await startDockerRegistry(t);
    const buildah = storageOf(dir, 'buildah');
    const name = (await must(t, 'buildah', [...buildah, 'from', 'scratch'])).trim();
    writeFileSync(join(dir, 'one'), 'one');
    await must(t, 'buildah', [...buildah, 'copy', name, join(dir, 'one'), '/opt/one']);
    await must(t, 'buildah', [...buildah, 'config', '--cmd', '/opt/one', '--env', 'A=b', name]);
    await must(t, 'buildah', [...buildah, 'commit', name, 'built']);
    writeFileSync(
      join(dir, 'Containerfile'),
      'FROM localhost/built\nCOPY one /opt/two\nLABEL x=y\n',
    );
    await must(t, 'buildah', [...buildah, 'bud', '--layers', '-t', 'two', dir]);
    for (const [form, words] of Object.entries({
      oci: ['--format', 'oci'],
      docker: ['--format', 'v2s2'],
      zstd: ['--format', 'oci', '--compression-format', 'zstd'],
    })) {
      const target = `docker://${host}/${form}:v1`;
      await must(t, 'buildah', [...buildah, 'push', '--tls-verify=false', ...words, 'two', target]);
      const raw = await must(t, 'skopeo', [
        'inspect',
        '--tls-verify=false',
        '--format',
        '{{.Digest}}',
        target,
      ]);
      const device = await aDevice(t);
      const reference = `${host}/${form}:v1`;
      const pulled = await device.pull.image({ reference, digest: raw.trim() as Digest }, {});
      const files = pulled.layers.flatMap(({ dir: at }) => [
        join(at, 'opt/one'),
        join(at, 'opt/two'),
      ]);
      t.is(files.filter((file) => isThere(file)).length, 2, form);
      t.deepEqual(pulled.config.cmd, ['/opt/one']);
      t.is(pulled.config.labels['x'], 'y');
    }
  },
);

function isThere(file: string): boolean {
  try {
    return readFileSync(file, 'utf8') === 'one';
  } catch {
    return false;
  }
}

withBuildah(
  'an index and its annotations stay as they are through copy, push and pull',
  async (t) => {
    const dir = lowFolder(t);
    const host = await startDockerRegistry(t);
    const buildah = storageOf(dir, 'buildah');
    const name = (await must(t, 'buildah', [...buildah, 'from', 'scratch'])).trim();
    await must(t, 'buildah', [...buildah, 'config', '--annotation', 'org.example.note=kept', name]);
    await must(t, 'buildah', [...buildah, 'commit', name, 'noted']);
    await must(t, 'buildah', [...buildah, 'manifest', 'create', 'many', 'noted']);
    const from = `docker://${host}/many:v1`;
    await must(t, 'buildah', [
      ...buildah,
      'manifest',
      'push',
      '--all',
      '--tls-verify=false',
      'many',
      from,
    ]);
    const root = ['--root', dir];
    await must(t, process.execPath, [
      wherryImage,
      'copy',
      '--all',
      from,
      `oci:${dir}/layout:v1`,
      ...root,
    ]);
    await must(t, process.execPath, [
      wherryImage,
      'copy',
      '--all',
      `oci:${dir}/layout:v1`,
      `docker://${host}/back:v1`,
      ...root,
    ]);
    const raw = (image: string): Promise<string> =>
      must(t, 'skopeo', ['inspect', '--raw', '--tls-verify=false', `docker://${host}/${image}`]);
    const [a, b] = [await raw('many:v1'), await raw('back:v1')];
    t.is(a, b);
    const [entry] = (JSON.parse(a) as { manifests: Array<{ digest: string }> }).manifests;
    t.regex(await raw(`back@${entry?.digest}`), /org\.example\.note/);
  },
);

asRoot('Nix: a hundred and twenty layers, each a few store paths', async (t) => {
  const store = `nix/store/${'a'.repeat(32)}`;
  const layers = Array.from({ length: 120 }, (_, at) =>
    gzipLayer([
      folder('nix', 0o755, { mtime: 1 }),
      folder('nix/store', 0o755, { mtime: 1 }),
      folder(`${store}-pkg-${at}`, 0o555, { mtime: 1 }),
      fileEntry(`${store}-pkg-${at}/bin`, String(at), { mode: 0o555, mtime: 1 }),
    ]),
  );
  const { manifest, blobs } = manifestOf(layers, dockerWords);
  const server = await startServer(t, (request, response) => {
    if (request.url?.includes('/manifests/') !== true) return serveBlobs(blobs, request, response);
    response.writeHead(200, { 'content-type': dockerWords.manifest }).end(manifest.bytes);
    return true;
  });
  const device = await aDevice(t);
  const wanted = { reference: `${server.host}/nix:v1`, digest: manifest.digest };
  const pulled = await device.pull.image(wanted, {});
  t.is(new Set(pulled.layers.map(({ dir }) => dir)).size, 120);
});
