#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// wherry-fleet: the fleet server and the operator's tool. Only a table of its commands.

import { main } from '../adapters/terminal.js';
import { claimCommands } from './cli/claim.js';
import { deviceCommands } from './cli/device.js';
import { eventsCommand } from './cli/events.js';
import { releaseCommands } from './cli/release.js';
import { rolloutCommands } from './cli/rollout.js';
import { serveCommand } from './cli/serve.js';
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
    eventsCommand,
  ],
});
