#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// wherry-fleet: the fleet server and the operator's tool. Only a table of its commands.

import { main } from '../adapters/terminal.js';
import { claimCommands } from './cli/claim.js';
import { deviceCommands } from './cli/device.js';
import { eventsCommand } from './cli/events.js';
import { registryCommands } from './cli/registry.js';
import { releaseCommands } from './cli/release.js';
import { rolloutCommands } from './cli/rollout.js';
import { serveCommand } from './cli/serve.js';
import { signCommands } from './cli/sign.js';
import { programOptions } from './cli/words.js';

await main({
  name: 'wherry-fleet',
  about: 'Control a fleet of Wherry devices: claims, devices, releases, rollouts',
  options: programOptions,
  commands: [
    serveCommand,
    ...claimCommands,
    ...deviceCommands,
    ...releaseCommands,
    ...rolloutCommands,
    ...registryCommands,
    eventsCommand,
    ...signCommands,
  ],
  section: 8,
  words: {
    DEVICE: { command: 'device ls --quiet' },
    CLAIM: { command: 'claim ls --quiet' },
    RELEASE: { command: 'release ls --quiet' },
    ROLLOUT: { command: 'rollout ls --quiet' },
  },
  choices: { LEVEL: ['debug', 'info', 'warn', 'error', 'silent'] },
  files: {
    '/etc/wherry-fleet/operator':
      "The operator's certificate, endpoint and release key; keep a copy of it.",
    '/var/lib/wherry-fleet':
      'The database, the authority, the keys of the server and the registry.',
    '/etc/default/wherry-fleet': 'Options of serve, where systemd starts it.',
  },
});
