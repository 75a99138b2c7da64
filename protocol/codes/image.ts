// SPDX-License-Identifier: Apache-2.0
// Codes of this room: image.

import type { CodeEntry } from './entry.js';

export const imageCodes = {
  IMAGE_REFERENCE: {
    retry: 'changed',
    blame: 'release',
    about: 'An image reference is not of the form host[:port]/repository[:tag][@digest].',
    remedy: 'Write it in lower case as the message shows; a tag has at most 128 characters.',
  },
  IMAGE_UNKNOWN: {
    retry: 'backoff',
    blame: 'release',
    about: 'The registry or layout has no image, manifest or blob of that name.',
    remedy: 'Check the repository, tag and digest, and that the image was pushed there.',
  },
  IMAGE_DIGEST: {
    retry: 'backoff',
    blame: 'network',
    about: 'The bytes of a manifest, config or blob are not those that the digest and size name.',
    remedy:
      'They are thrown away, and the agent fetches them again; if it stays, the registry holds wrong bytes.',
  },
  IMAGE_MANIFEST: {
    retry: 'changed',
    blame: 'release',
    about: 'A manifest, index or config is not a document of the OCI or Docker image format.',
    remedy: 'Build and push the image anew; the message names the field.',
  },
  IMAGE_MEDIA: {
    retry: 'changed',
    blame: 'release',
    about: 'An image holds a part of a media type that is not supported.',
    remedy: 'Build it with gzip, zstd or plain layers that the registry itself distributes.',
  },
  IMAGE_PLATFORM: {
    retry: 'changed',
    blame: 'release',
    about: 'The image has no variant that fits the platform of the device.',
    remedy: 'Build it for the platform that the message names, and push an index of all platforms.',
  },
  IMAGE_LIMIT: {
    retry: 'changed',
    blame: 'release',
    about: 'An image passes a bound on sizes or counts of its documents.',
    remedy: 'Make the image with fewer layers or shorter documents; the message gives the bound.',
  },
  IMAGE_LAYOUT: {
    retry: 'never',
    blame: 'operator',
    about: 'A folder is not an OCI image layout, or one of its files is not readable.',
    remedy: 'Name a folder that `wherry-image`, skopeo or buildah wrote, or a new one.',
  },
  LAYER_TAR: {
    retry: 'changed',
    blame: 'release',
    about: 'A layer is not a tar archive that we accept.',
    remedy: 'Build the image anew; the message names the entry.',
  },
  LAYER_ESCAPE: {
    retry: 'changed',
    blame: 'release',
    about: 'A layer has an entry that leads outside the root.',
    remedy: 'Do not trust the image: find out who built it.',
  },
  LAYER_STREAM: {
    retry: 'backoff',
    blame: 'network',
    about: "A layer's compressed stream is broken or cut short.",
    remedy: 'The agent fetches it again; if it stays, push the image anew.',
  },
  LAYER_DIGEST: {
    retry: 'backoff',
    blame: 'network',
    about: 'The bytes of a layer are not those that its digest or diffID names.',
    remedy:
      'They are thrown away, and the agent fetches them again; if it stays, the registry holds wrong bytes.',
  },
  LAYER_LIMIT: {
    retry: 'changed',
    blame: 'release',
    about: 'A layer passes a bound on sizes, counts or the memory that its compression asks for.',
    remedy: 'The message names the bound: split the layer, or compress it with a smaller window.',
  },
} as const satisfies Record<string, CodeEntry>;
