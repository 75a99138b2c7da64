// SPDX-License-Identifier: Apache-2.0
// The media types of OCI and of Docker schema 2, and what each means to us. A type that is not in these
// tables is not supported; nothing is guessed from a suffix.

import { CodedError } from '../../protocol/error.js';

export const mediaTypes = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layerTar: 'application/vnd.oci.image.layer.v1.tar',
  layerGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  layerZstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerLayerGzip: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  dockerLayerZstd: 'application/vnd.docker.image.rootfs.diff.tar.zstd',
  dockerLayerTar: 'application/vnd.docker.image.rootfs.diff.tar',
} as const;

export type Compression = 'none' | 'gzip' | 'zstd';

/** What a manifest request accepts, best first. */
export const acceptManifests: readonly string[] = [
  mediaTypes.index,
  mediaTypes.manifest,
  mediaTypes.dockerList,
  mediaTypes.dockerManifest,
];

const layers: Readonly<Record<string, Compression>> = {
  [mediaTypes.layerTar]: 'none',
  [mediaTypes.layerGzip]: 'gzip',
  [mediaTypes.layerZstd]: 'zstd',
  [mediaTypes.dockerLayerTar]: 'none',
  [mediaTypes.dockerLayerGzip]: 'gzip',
  [mediaTypes.dockerLayerZstd]: 'zstd',
};

const layerNames: Readonly<Record<Compression, string>> = {
  none: mediaTypes.layerTar,
  gzip: mediaTypes.layerGzip,
  zstd: mediaTypes.layerZstd,
};

export function isIndexType(mediaType: string): boolean {
  return mediaType === mediaTypes.index || mediaType === mediaTypes.dockerList;
}

export function isManifestType(mediaType: string): boolean {
  return mediaType === mediaTypes.manifest || mediaType === mediaTypes.dockerManifest;
}

export function isConfigType(mediaType: string): boolean {
  return mediaType === mediaTypes.config || mediaType === mediaTypes.dockerConfig;
}

export function layerTypeOf(compression: Compression): string {
  return layerNames[compression];
}

/** How a layer is compressed. @throws IMAGE_MEDIA, foreign and encrypted layers by name */
export function compressionOf(mediaType: string): Compression {
  const found = Object.hasOwn(layers, mediaType) ? layers[mediaType] : undefined;
  if (found !== undefined) return found;
  throw new CodedError('IMAGE_MEDIA', `${kindOf(mediaType)} is not supported: ${mediaType}`, {
    mediaType,
  });
}

function kindOf(mediaType: string): string {
  if (/foreign|nondistributable/.test(mediaType))
    return 'a layer that registries do not distribute';
  if (mediaType.includes('encrypted')) return 'an encrypted layer';
  return 'a layer of this type';
}
