// SPDX-License-Identifier: Apache-2.0
// Manifests, indexes and configs: what others write is read, and what could mislead is refused by name.

import test from 'ava';
import { parseConfig } from '../../../images/oci/config.js';
import { documentBytesMax } from '../../../images/oci/document.js';
import { imageLayers, parseManifest } from '../../../images/oci/manifest.js';
import { mediaTypes } from '../../../images/oci/media.js';
import { codeOf, messageOf } from '../../../protocol/error.js';

const digest = `sha256:${'0'.repeat(64)}`;
const config = { mediaType: mediaTypes.config, digest, size: 10 };
const layer = { mediaType: mediaTypes.layerZstd, digest, size: 20 };
const manifest = { schemaVersion: 2, mediaType: mediaTypes.manifest, config, layers: [layer] };

const bytesOf = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

function refusalOf(run: () => unknown): { code: string; message: string } {
  try {
    run();
  } catch (error) {
    return { code: codeOf(error), message: messageOf(error) };
  }
  return { code: 'none', message: '' };
}

const codeFrom = (value: unknown, type?: string): string =>
  refusalOf(() => parseManifest(bytesOf(value), type)).code;

function layersOf(value: unknown): ReturnType<typeof imageLayers> {
  const read = parseManifest(bytesOf(value));
  if (read.kind !== 'manifest') throw new Error('not a manifest');
  return imageLayers(read);
}

test('an OCI manifest and a Docker one read alike', (t) => {
  t.is(layersOf(manifest)[0]?.compression, 'zstd');
  const docker = {
    schemaVersion: 2,
    mediaType: mediaTypes.dockerManifest,
    config: { ...config, mediaType: mediaTypes.dockerConfig },
    layers: [{ ...layer, mediaType: mediaTypes.dockerLayerGzip }],
  };
  t.is(layersOf(docker)[0]?.compression, 'gzip');
});

test('a document without a media type is what the registry says, or what its fields say', (t) => {
  const { mediaType: _, ...bare } = manifest;
  t.is(parseManifest(bytesOf(bare)).kind, 'manifest');
  t.is(parseManifest(bytesOf({ schemaVersion: 2, manifests: [] })).kind, 'index');
  t.is(codeFrom(bare, mediaTypes.index), 'IMAGE_MANIFEST');
});

test('CVE-2021-41190: a document that is a manifest and an index at once is refused', (t) => {
  t.is(codeFrom({ ...manifest, manifests: [] }), 'IMAGE_MANIFEST');
  t.is(codeFrom({ ...manifest, mediaType: mediaTypes.index, manifests: [] }), 'IMAGE_MANIFEST');
  t.is(codeFrom(manifest, mediaTypes.dockerManifest), 'IMAGE_MANIFEST');
});

test('Docker schema 1 is refused by name', (t) => {
  const found = refusalOf(() => parseManifest(bytesOf({ schemaVersion: 1, fsLayers: [] })));
  t.is(found.code, 'IMAGE_MEDIA');
  t.regex(found.message, /schema 1/);
});

test('layers that registries do not distribute, and encrypted ones, are refused by name', (t) => {
  const foreign = 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip';
  const secret = 'application/vnd.oci.image.layer.v1.tar+gzip+encrypted';
  const docker = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip';
  for (const [mediaType, word] of [
    [foreign, /distribute/],
    [docker, /distribute/],
    [secret, /encrypted/],
  ] as const) {
    const found = refusalOf(() => layersOf({ ...manifest, layers: [{ ...layer, mediaType }] }));
    t.is(found.code, 'IMAGE_MEDIA');
    t.regex(found.message, word);
  }
});

test('an artifact that is not an image is refused', (t) => {
  const artifact = {
    ...manifest,
    config: { ...config, mediaType: 'application/vnd.oci.empty.v1+json' },
  };
  t.is(refusalOf(() => layersOf(artifact)).code, 'IMAGE_MEDIA');
});

test('a wrong field is named with its place', (t) => {
  const found = refusalOf(() =>
    parseManifest(bytesOf({ ...manifest, layers: [layer, { ...layer, size: -1 }] })),
  );
  t.is(found.code, 'IMAGE_MANIFEST');
  t.regex(found.message, /manifest\.layers\[1\]\.size/);
  t.is(codeFrom({ ...manifest, layers: [{ ...layer, digest: 'sha512:abc' }] }), 'IMAGE_MANIFEST');
  t.is(
    codeFrom({ ...manifest, layers: Array.from({ length: 501 }, () => layer) }),
    'IMAGE_MANIFEST',
  );
  t.is(codeFrom([]), 'IMAGE_MANIFEST');
  t.is(codeFrom({ schemaVersion: 2, mediaType: 'text/html' }), 'IMAGE_MEDIA');
});

test('bytes that are no JSON, not UTF-8 or too many are refused', (t) => {
  t.is(refusalOf(() => parseManifest(Buffer.from('<html>'))).code, 'IMAGE_MANIFEST');
  t.is(refusalOf(() => parseManifest(Buffer.from([0x22, 0xff, 0x22]))).code, 'IMAGE_MANIFEST');
  t.is(
    refusalOf(() => parseManifest(Buffer.alloc(documentBytesMax + 1, 0x20))).code,
    'IMAGE_LIMIT',
  );
  const twice = '{"schemaVersion":2,"layers":[],"layers":[]}';
  t.is(refusalOf(() => parseManifest(Buffer.from(twice))).code, 'IMAGE_MANIFEST');
});

test('a config as Docker writes it, with its nulls and nanoseconds, is read', (t) => {
  const read = parseConfig(
    bytesOf({
      architecture: 'arm',
      variant: 'v7',
      os: 'linux',
      created: '2026-01-01T00:00:00Z',
      config: {
        User: '',
        Env: ['PATH=/bin'],
        Cmd: null,
        Entrypoint: ['/web'],
        Volumes: { '/data': {} },
        WorkingDir: '/srv',
        Labels: null,
        Healthcheck: { Test: ['CMD', '/check'], Interval: 5_000_000_000, Retries: 0 },
        OnBuild: null,
      },
      rootfs: { type: 'layers', diff_ids: [digest] },
      history: [{ created: 'x' }],
    }),
  );
  t.deepEqual(read, {
    architecture: 'arm',
    os: 'linux',
    variant: 'v7',
    created: '2026-01-01T00:00:00Z',
    diffIds: [digest as `sha256:${string}`],
    env: ['PATH=/bin'],
    entrypoint: ['/web'],
    cmd: [],
    workingDir: '/srv',
    volumes: ['/data'],
    labels: {},
    healthcheck: { test: ['CMD', '/check'], intervalMs: 5000 },
  });
});

test('a config without a root file system, or with another kind of it, is refused', (t) => {
  const code = (value: unknown): string => refusalOf(() => parseConfig(bytesOf(value))).code;
  t.is(code({ architecture: 'arm', os: 'linux' }), 'IMAGE_MANIFEST');
  const base = { architecture: 'arm', os: 'linux' };
  t.is(code({ ...base, rootfs: { type: 'layers', diff_ids: null } }), 'none');
  t.is(code({ ...base, rootfs: { type: 'zfs', diff_ids: [] } }), 'IMAGE_MANIFEST');
  t.is(
    code({ ...base, config: { Env: 'x' }, rootfs: { type: 'layers', diff_ids: [] } }),
    'IMAGE_MANIFEST',
  );
});
