#!/usr/bin/env -S MALLOC_ARENA_MAX=1 UV_THREADPOOL_SIZE=2 node --max-semi-space-size=1 --max-old-space-size=64
// SPDX-License-Identifier: Apache-2.0
// wherryd, the agent: puts the rooms together and says when it is ready. It starts what it knows before it
// asks any network, works without an identity and without a link, and ends on SIGTERM without touching a
// container. Two agents never share a root.

import type { Parsed, Program } from '../adapters/command.js';
import { notifyReady } from '../adapters/journal.js';
import { type LogLevel, openLog } from '../adapters/log.js';
import { placesOf } from '../adapters/places.js';
import { main } from '../adapters/terminal.js';
import { programVersion } from '../adapters/version.js';
import { CodedError } from '../protocol/error.js';
import { openAgent } from './agent.js';
import { closeMsMax, loadConfig } from './config.js';
import { lockRoot } from './store/lock.js';

const levels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent'];

const program: Program = {
  name: 'wherryd',
  about: 'The device agent: keeps the containers of the desired release running',
  options: {
    root: {
      type: 'string',
      value: 'DIR',
      default: '/',
      about: 'Folder that state, runtime files and configuration are below',
    },
    'log-level': {
      type: 'string',
      value: 'LEVEL',
      about: `One of ${levels.join(', ')} (default info, or what agent.json says)`,
    },
  },
  commands: [
    {
      name: '',
      about: 'The device agent: keeps the containers of the desired release running',
      run: serve,
    },
  ],
  section: 8,
  choices: { LEVEL: levels },
  files: {
    '/etc/wherry/agent.json': 'Log level, free space to keep, delays of the link; may be absent.',
    '/etc/wherry/policy.json':
      'What a release may ask of this device; may be absent: then nothing.',
    '/var/lib/wherry': 'Containers, images, logs and the database.',
    '/run/wherry/wherryd.sock': 'The socket on which wherry(1) asks; root only.',
  },
};

async function serve(parsed: Parsed): Promise<number> {
  const version = programVersion();
  const level = levelOf(parsed.text('log-level'));
  if (process.geteuid?.() !== 0) {
    throw new CodedError('NOT_ROOT', 'wherryd needs root for namespaces, mounts and cgroups');
  }
  const places = placesOf(parsed.text('root') ?? '/');
  const config = await loadConfig(places);
  const log = openLog('wherryd', level ?? config.logLevel ?? 'info');
  const ending = endOf(process);
  const lock = await lockRoot(places);
  const agent = await openAgent({ places, config, log, version });
  log.info({ version, root: places.root, pid: process.pid }, 'wherryd ready');
  const unheard = await notifyReady();
  if (unheard !== undefined) log.warn({ error: unheard }, 'systemd was not told');

  const reason = await ending;
  log.info({ reason }, 'wherryd stops; the containers go on');
  setTimeout(() => process.exit(0), closeMsMax).unref();
  await agent.close();
  await lock.release();
  return 0;
}

function levelOf(word: string | undefined): LogLevel | undefined {
  if (word === undefined) return undefined;
  const level = levels.find((one) => one === word);
  if (level !== undefined) return level;
  throw new CodedError('USAGE', `--log-level takes one of ${levels.join(', ')}, not '${word}'`);
}

/** Resolves with the first signal that asks for the end. */
function endOf(emitter: NodeJS.Process): Promise<string> {
  return new Promise((resolve) => {
    for (const name of ['SIGTERM', 'SIGINT'] as const) emitter.once(name, () => resolve(name));
  });
}

await main(program);
