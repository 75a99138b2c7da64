// SPDX-License-Identifier: Apache-2.0
// Manifests and indexes (OCI image-spec manifest.md, image-index.md; Docker schema 2). A document that could
// be read as both is refused (CVE-2021-41190), as is one whose media type differs from what the registry
// said. Artifacts that are not images parse, and imageParts refuses them.

import { array, integer, object, optional } from '../../protocol/check.js';
import { CodedError } from '../../protocol/error.js';
import { annotations, type Descriptor, descriptor, mediaType } from './descriptor.js';
import { badDocument, checkDocument, readDocument } from './document.js';
import {
  type Compression,
  compressionOf,
  isConfigType,
  isIndexType,
  isManifestType,
  mediaTypes,
} from './media.js';

/** More than any overlay mount takes. */
export const layerCountMax = 500;
const manifestCountMax = 1024;

export interface Index {
  readonly kind: 'index';
  readonly mediaType: string;
  readonly manifests: readonly Descriptor[];
  readonly annotations: Readonly<Record<string, string>>;
}

export interface Manifest {
  readonly kind: 'manifest';
  readonly mediaType: string;
  readonly config: Descriptor;
  /** Lowest first. */
  readonly layers: readonly Descriptor[];
  readonly annotations: Readonly<Record<string, string>>;
}

export interface Layer {
  readonly descriptor: Descriptor;
  readonly compression: Compression;
}

const shared = {
  schemaVersion: integer(2, 2),
  mediaType: optional(mediaType),
  annotations: optional(annotations),
};
const indexCheck = object(
  { ...shared, manifests: array(descriptor, manifestCountMax) },
  { open: true },
);
const manifestCheck = object(
  { ...shared, config: descriptor, layers: array(descriptor, layerCountMax) },
  { open: true },
);

/**
 * Reads a manifest or an index. `type`: what the registry or the descriptor called it.
 * @throws IMAGE_MANIFEST, IMAGE_MEDIA, IMAGE_LIMIT
 */
export function parseManifest(bytes: Uint8Array, type?: string): Manifest | Index {
  const value = readDocument(bytes, 'manifest');
  if (value['schemaVersion'] === 1) {
    throw new CodedError('IMAGE_MEDIA', 'the manifest is Docker schema 1, which is not supported');
  }
  const called = typeOf(value, type);
  return isIndexType(called) ? readIndex(value, called) : readManifest(value, called);
}

function typeOf(value: Record<string, unknown>, type: string | undefined): string {
  const own = typeof value['mediaType'] === 'string' ? value['mediaType'] : undefined;
  const said = type !== undefined && (isIndexType(type) || isManifestType(type)) ? type : undefined;
  if (own !== undefined && said !== undefined && own !== said) {
    throw badDocument(`manifest.mediaType: is ${own}, but it was announced as ${said}`);
  }
  const called = own ?? said ?? ('manifests' in value ? mediaTypes.index : mediaTypes.manifest);
  if (isIndexType(called) || isManifestType(called)) return called;
  throw new CodedError('IMAGE_MEDIA', `a manifest of this type is not supported: ${called}`, {
    mediaType: called,
  });
}

function readIndex(value: Record<string, unknown>, called: string): Index {
  if ('layers' in value || 'config' in value) throw ambiguous();
  const { manifests, annotations } = checkDocument(indexCheck, value, 'index');
  return { kind: 'index', mediaType: called, manifests, annotations: annotations ?? {} };
}

function readManifest(value: Record<string, unknown>, called: string): Manifest {
  if ('manifests' in value) throw ambiguous();
  const { config, layers, annotations } = checkDocument(manifestCheck, value, 'manifest');
  return { kind: 'manifest', mediaType: called, config, layers, annotations: annotations ?? {} };
}

function ambiguous(): CodedError {
  return badDocument('the document could be read as a manifest and as an index');
}

/** The layers of an image, lowest first. @throws IMAGE_MEDIA where it is no image, or a layer is of another kind */
export function imageLayers(manifest: Manifest): Layer[] {
  const { mediaType: type } = manifest.config;
  if (!isConfigType(type)) {
    throw new CodedError(
      'IMAGE_MEDIA',
      `this is an artifact, not an image: its config is ${type}`,
      {
        mediaType: type,
      },
    );
  }
  return manifest.layers.map((layer) => ({
    descriptor: layer,
    compression: compressionOf(layer.mediaType),
  }));
}
