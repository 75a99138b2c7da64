#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// wherry-image: makes, moves and shows images on build hosts and in CI. The table of its commands.

import type { Program } from '../../adapters/command.js';
import { main } from '../../adapters/terminal.js';
import { fromDirCommand } from './from-dir.js';
import { inspectCommand } from './inspect.js';
import { localCommands } from './local.js';
import { loginCommands } from './login.js';
import { transferCommands } from './transfer.js';

const program: Program = {
  name: 'wherry-image',
  about:
    'Make, move and show container images. A place is REF (the local store or a registry, as the command\nsays), docker://REF (a registry) or oci:DIR[:NAME] (an OCI layout).',
  options: {
    root: {
      type: 'string',
      value: 'DIR',
      default: '/',
      about: 'Holds var/lib/wherry-image and etc/wherry/certs.d',
    },
  },
  commands: [
    fromDirCommand,
    ...transferCommands,
    inspectCommand,
    ...localCommands,
    ...loginCommands,
  ],
  words: { REF: { command: 'ls --quiet' }, SRC: { command: 'ls --quiet' } },
  files: {
    '/var/lib/wherry-image': 'The local store, an OCI layout.',
    '/etc/wherry/certs.d/HOST:PORT':
      'ca.crt, client.cert and client.key for a registry, as Docker has them.',
  },
};

await main(program);
