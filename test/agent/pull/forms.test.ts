// SPDX-License-Identifier: Apache-2.0
// Images as Docker, BuildKit, buildah, Bazel and kaniko write them, pulled by the real store and the real wherry-layer.

import { lstatSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { mediaTypes } from '../../../images/oci/media.js';
import { codeOf } from '../../../protocol/error.js';
import { aDevice } from '../../kit/images-device.js';
import {
  blobOf,
  dockerWords,
  entryFor,
  fileEntry,
  folder,
  gzipLayer,
  jsonBlob,
  manifestOf,
  ociWords,
} from '../../kit/images-forms.js';
import { startServer, type TestBlob } from '../../kit/images-server.js';
import { needs } from '../../kit/needs.js';

const asRoot = needs(['root']);
const platform = { architecture: process.arch === 'x64' ? 'amd64' : process.arch, os: 'linux' };
const other = { architecture: 's390x', os: 'linux' };

/** Serves each blob; a manifest with the type that it says of itself, or `type`. */
async function pullForm(
  t: ExecutionContext,
  top: TestBlob,
  blobs: readonly TestBlob[],
  type?: string,
): Promise<{ dirs: string[] }> {
  const server = await startServer(t, (request, response) => {
    const blob = [top, ...blobs].find(({ digest }) => request.url?.endsWith(digest) === true);
    if (blob === undefined) return false;
    const isManifest = request.url?.includes('/manifests/') === true;
    const own = isManifest
      ? (JSON.parse(String(blob.bytes)) as { mediaType?: string }).mediaType
      : '';
    response.writeHead(200, { 'content-type': type ?? own ?? mediaTypes.manifest });
    response.end(blob.bytes);
    return true;
  });
  const device = await aDevice(t);
  const reference = `${server.host}/web:v1`;
  const pulled = await device.pull.image({ reference, digest: top.digest }, {});
  return { dirs: pulled.layers.map(({ dir }) => dir) };
}

const base = gzipLayer([folder('etc'), fileEntry('etc/os', 'one')]);
const app = gzipLayer([fileEntry('app', 'v1', { mode: 0o755 })]);

asRoot(
  'Docker: schema 2 list and manifest, nulls in the config, history with empty layers',
  async (t) => {
    const { manifest, blobs } = manifestOf([base, app], dockerWords, {
      space: 3,
      config: {
        container: 'c0ffee',
        container_config: { Hostname: 'x', Cmd: ['/bin/sh', '-c', '#(nop) CMD'] },
        created: '2024-01-01T00:00:00.123456789Z',
        docker_version: '20.10.24',
        history: [{ created: '2024-01-01T00:00:00Z', created_by: 'ADD' }, { empty_layer: true }],
      },
    });
    const list = jsonBlob({
      schemaVersion: 2,
      mediaType: mediaTypes.dockerList,
      manifests: [
        entryFor(blobOf(Buffer.from('x')), mediaTypes.dockerManifest, { platform: other }),
        entryFor(manifest, mediaTypes.dockerManifest, { platform }),
      ],
    });
    const { dirs } = await pullForm(t, list, blobs);
    t.is(readFileSync(join(dirs[1] ?? '', 'app'), 'utf8'), 'v1');
    t.is((await pullForm(t, manifest, blobs)).dirs.length, 2, 'the manifest alone');
  },
);

asRoot('BuildKit: an OCI index with attestation manifests of unknown/unknown', async (t) => {
  const { manifest, blobs } = manifestOf([base, app], ociWords);
  const statement = blobOf(Buffer.from('{"_type":"https://in-toto.io/Statement/v0.1"}'));
  const attestation = manifestOf([], ociWords, {
    manifest: {
      layers: [
        entryFor(statement, 'application/vnd.in-toto+json', {
          annotations: { 'in-toto.io/predicate-type': 'https://slsa.dev/provenance/v0.2' },
        }),
      ],
    },
    config: { architecture: 'unknown', os: 'unknown' },
  });
  const index = jsonBlob({
    schemaVersion: 2,
    mediaType: mediaTypes.index,
    manifests: [
      entryFor(attestation.manifest, mediaTypes.manifest, {
        annotations: {
          'vnd.docker.reference.digest': manifest.digest,
          'vnd.docker.reference.type': 'attestation-manifest',
        },
        platform: { architecture: 'unknown', os: 'unknown' },
      }),
      entryFor(manifest, mediaTypes.manifest, { platform }),
    ],
  });
  t.is((await pullForm(t, index, [...blobs, ...attestation.blobs])).dirs.length, 2);
});

asRoot(
  'buildah: a manifest without a media type of its own, an index without platforms but one',
  async (t) => {
    const { manifest, blobs } = manifestOf([base], ociWords, {
      manifest: { mediaType: undefined },
    });
    const index = jsonBlob({
      schemaVersion: 2,
      manifests: [entryFor(manifest, mediaTypes.manifest)],
    });
    t.is((await pullForm(t, index, blobs, mediaTypes.index)).dirs.length, 1);
    t.is((await pullForm(t, manifest, blobs, mediaTypes.manifest)).dirs.length, 1);
  },
);

asRoot('Bazel: zero times, names with ./, and folders that the layer does not bring', async (t) => {
  const zero = { mtime: 0 };
  const lower = gzipLayer([
    folder('./tmp', 0o1777, zero),
    folder('./home', 0o755, zero),
    folder('./home/me', 0o700, { ...zero, uid: 1000, gid: 1000 }),
  ]);
  const upper = gzipLayer([
    fileEntry('./home/me/app/run', 'x', zero),
    fileEntry('./tmp/seed', 'y', zero),
    fileEntry('./srv/new/z', 'z', zero),
  ]);
  const { manifest, blobs } = manifestOf([lower, upper], ociWords);
  const { dirs } = await pullForm(t, manifest, blobs);
  const stat = (path: string) => {
    const { mode, uid, gid, mtimeMs } = statSync(join(dirs[1] ?? '', path));
    return [(mode & 0o7777).toString(8), uid, gid, mtimeMs];
  };
  t.deepEqual(stat('tmp'), ['1777', 0, 0, 0]);
  t.deepEqual(stat('home/me'), ['700', 1000, 1000, 0]);
  t.deepEqual(stat('home/me/app'), ['755', 0, 0, 0]);
  t.deepEqual(stat('srv'), ['755', 0, 0, 0]);
});

asRoot(
  'a folder that a later entry of the layer brings, or a whiteout replaced, keeps what the layer says',
  async (t) => {
    const lower = gzipLayer([
      folder('a', 0o700),
      folder('b', 0o700),
      folder('c', 0o711),
      folder('c/d', 0o701),
    ]);
    const middle = gzipLayer([fileEntry('.wh.c', '')]);
    const upper = gzipLayer([
      fileEntry('a/x', 'x'),
      folder('a', 0o750),
      fileEntry('.wh.b', ''),
      fileEntry('b/x', 'x'),
      fileEntry('c/d/x', 'x'),
    ]);
    const { manifest, blobs } = manifestOf([lower, middle, upper], ociWords);
    const { dirs } = await pullForm(t, manifest, blobs);
    const modeOf = (path: string): string =>
      (statSync(join(dirs[2] ?? '', path)).mode & 0o7777).toString(8);
    t.deepEqual(['a', 'b', 'c', 'c/d'].map(modeOf), ['750', '755', '755', '755']);
  },
);

asRoot(
  'kaniko: absolute names, opaque whiteouts with and without their folder, whole trees again',
  async (t) => {
    const lower = gzipLayer([
      folder('/var'),
      folder('/var/cache', 0o2775),
      fileEntry('/var/cache/old', '1'),
    ]);
    const upper = gzipLayer([
      fileEntry('/var/cache/.wh..wh..opq', ''),
      fileEntry('/var/cache/new', '2'),
      fileEntry('/etc/.wh.gone', ''),
    ]);
    const { manifest, blobs } = manifestOf([lower, upper], dockerWords);
    const { dirs } = await pullForm(t, manifest, blobs);
    const upperDir = dirs[1] ?? '';
    t.is((statSync(join(upperDir, 'var/cache')).mode & 0o7777).toString(8), '2775');
    t.is(readFileSync(join(upperDir, 'var/cache/new'), 'utf8'), '2');
    t.true(lstatSync(join(upperDir, 'etc/gone')).isCharacterDevice());
  },
);

asRoot('empty layers and the same layer twice', async (t) => {
  const empty = gzipLayer([]);
  const { manifest, blobs } = manifestOf([base, empty, app, empty, base], dockerWords);
  const { dirs } = await pullForm(t, manifest, blobs);
  t.is(dirs.length, 5);
  t.is(dirs[0], dirs[4]);
  t.is(dirs[1], dirs[3]);
});

for (const [type, words] of [
  ['application/vnd.docker.image.rootfs.foreign.diff.tar.gzip', /registries do not distribute/],
  ['application/vnd.oci.image.layer.nondistributable.v1.tar+gzip', /registries do not distribute/],
  ['application/vnd.oci.image.layer.v1.tar+gzip+encrypted', /encrypted layer/],
  ['application/vnd.in-toto+json', /layer of this type/],
] as const) {
  asRoot(`a layer of ${type} is refused by name`, async (t) => {
    const { manifest, blobs } = manifestOf([base], { ...dockerWords, layer: type });
    const error = await t.throwsAsync(pullForm(t, manifest, blobs));
    t.is(codeOf(error), 'IMAGE_MEDIA');
    t.regex(String(error?.message), words);
    t.true(error?.message.includes(type));
  });
}
