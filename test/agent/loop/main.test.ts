// SPDX-License-Identifier: Apache-2.0
// wherryd as a program: how it starts, what it refuses, how it ends. Without an identity and without a network.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import type { Places } from '../../../adapters/places.js';
import type { LocalStatus } from '../../../protocol/local.js';
import { aRoot } from '../../kit/agent-store.js';
import { needs } from '../../kit/needs.js';

const program = fileURLToPath(new URL('../../../agent/main.js', import.meta.url));

interface Agent {
  readonly child: ChildProcess;
  readonly log: () => string;
  readonly ended: Promise<number | null>;
}

function anAgent(t: ExecutionContext, args: readonly string[], uid?: number): Agent {
  const child = spawn(process.execPath, [program, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(uid === undefined ? {} : { uid }),
  });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += String(chunk);
  });
  child.stderr.on('data', (chunk: Buffer) => {
    text += String(chunk);
  });
  t.teardown(() => child.kill('SIGKILL'));
  const ended = once(child, 'exit').then(([code]) => code as number | null);
  return { child, log: () => text, ended };
}

async function ready(agent: Agent): Promise<void> {
  for (let at = 0; at < 1000 && !agent.log().includes('wherryd ready'); at += 1) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  if (!agent.log().includes('wherryd ready')) throw new Error(agent.log());
}

function status(places: Places): Promise<LocalStatus> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath: places.socket, path: '/v1/status' }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => {
        text += String(chunk);
      });
      response.on('end', () => resolve(JSON.parse(text) as LocalStatus));
    });
    asked.on('error', reject);
    asked.end();
  });
}

const rooted = needs(['root']);

rooted(
  'An agent without an identity comes up, answers on its socket, keeps others out and ends in time',
  async (t) => {
    const places = await aRoot(t);
    const agent = anAgent(t, ['--root', places.root]);
    await ready(agent);
    t.like(await status(places), { device: null, linked: false, generation: 0, step: null });
    const linked = (await status(places)).conditions.find(({ type }) => type === 'Linked');
    t.is(linked?.code, 'AGENT_UNENROLLED');

    const second = anAgent(t, ['--root', places.root]);
    t.is(await second.ended, 1);
    t.regex(second.log(), /AGENT_RUNNING/);

    const beganMs = performance.now();
    agent.child.kill('SIGTERM');
    t.is(await agent.ended, 0);
    t.true(performance.now() - beganMs < 5000);
  },
);

rooted('An agent that was killed starts again in the same root', async (t) => {
  const places = await aRoot(t);
  const first = anAgent(t, ['--root', places.root]);
  await ready(first);
  first.child.kill('SIGKILL');
  await first.ended;
  const second = anAgent(t, ['--root', places.root]);
  await ready(second);
  t.is((await status(places)).device, null);
  second.child.kill('SIGTERM');
  t.is(await second.ended, 0);
});

rooted('A wrong configuration is named by file and field', async (t) => {
  const places = await aRoot(t);
  await mkdir(places.config, { recursive: true });
  await writeFile(join(places.config, 'policy.json'), '{"bindRoots":["srv"]}');
  const agent = anAgent(t, ['--root', places.root]);
  t.is(await agent.ended, 1);
  t.regex(agent.log(), /CONFIG_BAD: .*policy\.json\.bindRoots\[0\]: must be an absolute path/);
});

rooted('Who is not root is told so', async (t) => {
  const agent = anAgent(t, ['--root', '/tmp'], 65_534);
  t.is(await agent.ended, 1);
  t.regex(agent.log(), /NOT_ROOT/);
});

test('Help and version need nothing, and a wrong word is a usage error', async (t) => {
  const help = anAgent(t, ['--help']);
  t.is(await help.ended, 0);
  t.regex(help.log(), /Usage: wherryd \[OPTIONS\][\s\S]*--root DIR/);
  const version = anAgent(t, ['--version']);
  t.is(await version.ended, 0);
  t.regex(version.log(), /^wherryd \d+\.\d+\.\d+/);
  const wrong = anAgent(t, ['--log-level', 'loud']);
  t.is(await wrong.ended, 2);
  t.regex(wrong.log(), /USAGE/);
});
