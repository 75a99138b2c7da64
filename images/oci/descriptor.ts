// SPDX-License-Identifier: Apache-2.0
// The descriptor: what every document of an image points with (OCI image-spec descriptor.md). Open: fields
// that we do not use are dropped.

import {
  type Check,
  type Checked,
  integer,
  object,
  optional,
  record,
  string,
} from '../../protocol/check.js';
import { digest } from '../../protocol/name.js';
import { orNull } from './document.js';

/** One terabyte: sums of sizes stay exact. */
const sizeMax = 1024 ** 4;
const annotationCountMax = 256;

export const annotations: Check<Record<string, string>> = orNull(
  record(string({ lengthMax: 512 }), string({ lengthMax: 65_536 }), annotationCountMax),
  {},
);

const word = string({ lengthMax: 64 });

export const mediaType = string({
  pattern: /^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$/,
  form: 'a media type',
});

export const descriptor = object(
  {
    mediaType,
    digest,
    size: integer(0, sizeMax),
    annotations: optional(annotations),
    platform: optional(
      object({ architecture: word, os: word, variant: optional(word) }, { open: true }),
    ),
  },
  { open: true },
);
export type Descriptor = Checked<typeof descriptor>;
