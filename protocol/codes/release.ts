// SPDX-License-Identifier: Apache-2.0
// Codes of Compose files and of the releases made from them.

import type { CodeEntry } from './entry.js';

export const releaseCodes = {
  COMPOSE_FILE: {
    retry: 'never',
    blame: 'operator',
    about: 'The Compose file cannot be read, or is not YAML within the bounds.',
    remedy: 'Mend the line that the message names.',
  },
  COMPOSE_KEY: {
    retry: 'never',
    blame: 'operator',
    about: 'The Compose file has a key that Wherry does not know, or lacks one that it needs.',
    remedy: 'Remove or add the key; the message names those that are allowed there.',
  },
  COMPOSE_VALUE: {
    retry: 'never',
    blame: 'operator',
    about: 'A key of the Compose file has a value that is not allowed there.',
    remedy: 'Write it in one of the forms that the message names.',
  },
  COMPOSE_REFERENCE: {
    retry: 'never',
    blame: 'operator',
    about:
      'The Compose file names a service or volume that it does not have, or services wait for each other in a ring.',
    remedy: 'Declare what is named, or break the ring.',
  },
  RELEASE_LARGE: {
    retry: 'never',
    blame: 'operator',
    about: 'The release is larger than a device takes over MQTT.',
    remedy: 'Split it into fewer workloads, or move long environment values into the image.',
  },
  RELEASE_COUNTER: {
    retry: 'never',
    blame: 'operator',
    about: 'The counter of the release is not above the last one of its app.',
    remedy: 'Make the release anew; `wherry-fleet release create` takes the next counter itself.',
  },
  RELEASE_EXISTS: {
    retry: 'never',
    blame: 'operator',
    about: 'The app has another release of that version already; releases never change.',
    remedy: 'Take another --version.',
  },
  RELEASE_UNKNOWN: {
    retry: 'never',
    blame: 'operator',
    about: 'The fleet has no such release.',
    remedy: '`wherry-fleet release ls` lists those that there are.',
  },
} as const satisfies Record<string, CodeEntry>;
