// SPDX-License-Identifier: Apache-2.0
// Codes that every program can end with.

import type { CodeEntry } from './entry.js';

export const generalCodes = {
  BUG: {
    retry: 'backoff',
    blame: 'bug',
    about: 'An error that no code foresees.',
    remedy: 'Report it with the log line; the log holds the stack.',
  },
  USAGE: {
    retry: 'never',
    blame: 'operator',
    about: 'The command line names an unknown command or option, or misses an argument.',
    remedy: 'Read the --help of the command that the message names.',
  },
  CONFIG_BAD: {
    retry: 'never',
    blame: 'operator',
    about: 'A configuration file is not readable, not JSON or has a wrong field.',
    remedy: 'Mend the field that the message names.',
  },
  NOT_ROOT: {
    retry: 'never',
    blame: 'operator',
    about:
      "The program needs root: for namespaces, mounts and cgroups, or for a file that is root's.",
    remedy: 'Run it as root.',
  },
  JSON_BAD: {
    retry: 'changed',
    blame: 'release',
    about:
      'A document from outside is not acceptable JSON: syntax, size, depth or a duplicate key.',
    remedy: 'Send plain JSON within the bounds that docs/protocol.md gives.',
  },
  SHAPE_BAD: {
    retry: 'changed',
    blame: 'release',
    about: 'A document from outside has a field of the wrong type, range or form.',
    remedy: 'Mend the field that the message names; docs/protocol.md has the forms.',
  },
  CLOSED: {
    retry: 'soon',
    blame: 'device',
    about: 'The program was told to stop while this was going on.',
    remedy: 'Nothing: it goes on after the next start.',
  },
  NATIVE_MISSING: {
    retry: 'never',
    blame: 'operator',
    about: 'A native program of Wherry is not where it is expected.',
    remedy: 'Run `make all`, or set WHERRY_NATIVE to the folder that holds the programs.',
  },
  NO_SPACE: {
    retry: 'backoff',
    blame: 'device',
    about: 'A write found the disk full.',
    remedy: 'Free space on the file system that the message names; what runs is not touched.',
  },
  STORE_FORGOT: {
    retry: 'never',
    blame: 'device',
    about:
      'Both copies of what this device accepted before are damaged: an older release could come back.',
    remedy: 'Roll out the newest release to it, and replace its storage: it loses data.',
  },
  STORE_CORRUPT: {
    retry: 'backoff',
    blame: 'device',
    about: 'The database or a file of the store does not check.',
    remedy: 'Restart the program: it sets the damaged part aside and rebuilds what it can.',
  },
} as const satisfies Record<string, CodeEntry>;
