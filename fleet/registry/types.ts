// SPDX-License-Identifier: Apache-2.0
// What the files of the registry share: the error of the distribution API, bounds, media types.

import type { Digest } from '../../protocol/name.js';

/** OCI distribution-spec §Error Codes. */
export type RegistryCode =
  | 'BLOB_UNKNOWN'
  | 'BLOB_UPLOAD_INVALID'
  | 'BLOB_UPLOAD_UNKNOWN'
  | 'DENIED'
  | 'DIGEST_INVALID'
  | 'MANIFEST_BLOB_UNKNOWN'
  | 'MANIFEST_INVALID'
  | 'MANIFEST_UNKNOWN'
  | 'NAME_INVALID'
  | 'NAME_UNKNOWN'
  | 'SIZE_INVALID'
  | 'TOOMANYREQUESTS'
  | 'UNAUTHORIZED'
  | 'UNSUPPORTED';

/** An answer that is an error: status, the specification's code and words for a person. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly status: number;
  readonly code: RegistryCode;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    code: RegistryCode,
    message: string,
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

export interface RegistryBounds {
  readonly manifestBytesMax: number;
  readonly blobBytesMax: number;
  readonly uploadsMax: number;
  /** An upload that got no byte for so long is dropped. */
  readonly uploadIdleMs: number;
  /** A reader or writer that stands still for so long is cut off. */
  readonly stalledMs: number;
  readonly repositoriesMax: number;
  readonly manifestsMax: number;
  readonly tagsMax: number;
  /** Between two garbage collections by itself. */
  readonly sweepMs: number;
  /** From a delete to the next one. */
  readonly sweepSoonMs: number;
  /** A blob that no manifest names is kept for so long after it was last asked for: a push may be on its way. */
  readonly unusedMs: number;
}

export const defaultBounds: RegistryBounds = {
  manifestBytesMax: 4 * 1024 * 1024, // what the specification asks registries to take
  blobBytesMax: 32 * 1024 ** 3,
  uploadsMax: 64,
  uploadIdleMs: 600_000,
  stalledMs: 60_000,
  repositoriesMax: 10_000,
  manifestsMax: 10_000,
  tagsMax: 10_000,
  sweepMs: 6 * 3_600_000,
  sweepSoonMs: 60_000,
  unusedMs: 3_600_000,
};

export const mediaTypes = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
} as const;

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}
