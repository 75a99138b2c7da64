#!/usr/bin/env node

// SPDX-License-Identifier: Apache-2.0
// `make demo`: tells the story in a world of its own and leaves nothing behind, also when it fails or is
// interrupted half-way.

import { join } from 'node:path';
import { placesOf } from '../../adapters/places.js';
import { errorText, print } from '../../adapters/terminal.js';
import { CodedError } from '../../protocol/error.js';
import { leftovers, sweepDead } from '../kit/world/guard.js';
import { openWorld, type World } from '../kit/world/world.js';
import { story } from './story.js';
import { chapter, check } from './tell.js';

async function tell(world: World): Promise<void> {
  const parents = ['dev-a', 'dev-b', 'dev-c'].map(
    (name) => placesOf(join(world.root, name)).cgroupParent,
  );
  let interrupt: (reason: Error) => void = () => undefined;
  const interrupted = new Promise<never>((_, reject) => {
    interrupt = reject;
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => interrupt(new CodedError('CLOSED', `interrupted by ${signal}`)));
  }
  const keep = process.env['WHERRY_DEMO_KEEP'] !== undefined;
  try {
    await Promise.race([story(world), interrupted]);
  } catch (error) {
    if (keep) print(`kept for a look: ${world.root}, namespaces ${world.tag}-*`);
    throw error;
  } finally {
    if (!keep) await world.dispose();
  }
  chapter('Clean up');
  const left = leftovers(world.root, world.tag, parents);
  check(left.length === 0, `nothing is left behind ${left.join(', ')}`.trimEnd());
  print('\nThat was the whole of Wherry: see README.md for how to run it for real.');
}

try {
  if (process.getuid?.() !== 0) {
    throw new CodedError('NOT_ROOT', 'the demo makes network namespaces, mounts and cgroups');
  }
  await sweepDead('demo');
  await tell(await openWorld('demo'));
} catch (error) {
  process.stderr.write(`${errorText('demo', error)}\n`);
  process.exitCode = 1;
}
process.exit();
