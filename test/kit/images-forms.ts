// SPDX-License-Identifier: Apache-2.0
// Images byte for byte as the tools write them: the shapes of manifests, configs and layers of Docker, BuildKit,
// Bazel, Nix and kaniko. Each layer is a tar that the test makes; documents are put together here.

import { gzipSync } from 'node:zlib';
import { mediaTypes } from '../../images/oci/media.js';
import { digestFor, type TestBlob } from './images-server.js';
import { type RawEntry, tarOf } from './layer-tar.js';

export interface Form {
  readonly digest: TestBlob['digest'];
  readonly blobs: readonly TestBlob[];
}

export interface FormLayer {
  readonly blob: TestBlob;
  readonly diffId: TestBlob['digest'];
}

export function blobOf(bytes: Buffer): TestBlob {
  return { digest: digestFor(bytes), size: bytes.length, bytes };
}

export const jsonBlob = (value: unknown, space?: number): TestBlob =>
  blobOf(Buffer.from(JSON.stringify(value, null, space)));

/** gzip as Go and Bazel write it: no name, time zero. */
export function gzipLayer(entries: readonly RawEntry[]): FormLayer {
  const tar = tarOf(entries);
  return { blob: blobOf(gzipSync(tar)), diffId: digestFor(tar) };
}

export const folder = (name: string, mode = 0o755, more: Partial<RawEntry> = {}): RawEntry => ({
  name: `${name}/`,
  type: '5',
  mode,
  ...more,
});
export const fileEntry = (
  name: string,
  content: string,
  more: Partial<RawEntry> = {},
): RawEntry => ({
  name,
  content,
  ...more,
});

export interface Words {
  readonly manifest: string;
  readonly config: string;
  readonly layer: string;
}
export const ociWords: Words = {
  manifest: mediaTypes.manifest,
  config: mediaTypes.config,
  layer: mediaTypes.layerGzip,
};
export const dockerWords: Words = {
  manifest: mediaTypes.dockerManifest,
  config: mediaTypes.dockerConfig,
  layer: mediaTypes.dockerLayerGzip,
};

/** A manifest over the layers, lowest first; `changed` goes into the config, `space` is its indentation. */
export function manifestOf(
  layers: readonly FormLayer[],
  words: Words,
  changed: { config?: object; manifest?: object; space?: number } = {},
): { manifest: TestBlob; blobs: TestBlob[] } {
  const config = jsonBlob({
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: { Cmd: ['/app'], Env: ['PATH=/bin'], Entrypoint: null, Volumes: null, OnBuild: null },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    ...changed.config,
  });
  const manifest = jsonBlob(
    {
      schemaVersion: 2,
      mediaType: words.manifest,
      config: { mediaType: words.config, size: config.size, digest: config.digest },
      layers: layers.map(({ blob }) => ({
        mediaType: words.layer,
        size: blob.size,
        digest: blob.digest,
      })),
      ...changed.manifest,
    },
    changed.space,
  );
  return { manifest, blobs: [config, manifest, ...layers.map(({ blob }) => blob)] };
}

export function entryFor(blob: TestBlob, mediaType: string, more: object = {}): object {
  return { mediaType, size: blob.size, digest: blob.digest, ...more };
}
