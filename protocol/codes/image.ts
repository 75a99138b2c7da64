// SPDX-License-Identifier: Apache-2.0
// Codes of this room: image.

import type { CodeEntry } from './entry.js';

export const imageCodes = {
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
    remedy: 'It is fetched again; if it stays, push the image anew.',
  },
  LAYER_DIGEST: {
    retry: 'backoff',
    blame: 'network',
    about: 'The bytes of a layer are not those that its digest or diffID names.',
    remedy: 'They are thrown away and fetched again; if it stays, the registry holds wrong bytes.',
  },
  LAYER_LIMIT: {
    retry: 'changed',
    blame: 'release',
    about: 'A layer passes a bound on sizes or counts.',
    remedy: 'See docs/errors.md for the bounds; split the layer.',
  },
} as const satisfies Record<string, CodeEntry>;
