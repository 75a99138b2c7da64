#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// wherry-image: makes, moves and shows images on build hosts and in CI. The table of its commands.

import type { Program } from '../../adapters/command.js';
import { main } from '../../adapters/terminal.js';
import { fromDirCommand } from './from-dir.js';
import { inspectCommand } from './inspect.js';
import { localCommands } from './local.js';
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
  commands: [fromDirCommand, ...transferCommands, inspectCommand, ...localCommands],
};

await main(program);
