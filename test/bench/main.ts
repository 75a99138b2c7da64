#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// `make bench`: answers each question in one world and writes docs/limits.md.

import { cpus, release } from 'node:os';
import { writeDurable } from '../../adapters/durable.js';
import { errorText, print } from '../../adapters/terminal.js';
import { until } from '../kit/world/program.js';
import { composeFile, makeBase, pushWeb } from '../kit/world/web.js';
import { type Device, openWorld, type World } from '../kit/world/world.js';
import { memory } from './memory.js';
import { pull } from './pull.js';
import { page, type Question } from './question.js';
import { start } from './start.js';
import { update } from './update.js';

async function prepare(world: World, base: string): Promise<Device> {
  await world.fleet.start();
  const [claim] = await world.fleet.json<Array<{ code: string }>>(['claim', 'create']);
  const device = await world.device('dev-a');
  await device.enrol(claim?.code ?? '');
  await device.start();
  await until('the device is online', 15_000, async () =>
    (await world.fleet.cli(['device', 'ls'])).stdout.includes('online') ? true : undefined,
  );
  const reference = await pushWeb(world, base, { version: 'v1' });
  await world.fleet.cli([
    'release',
    'create',
    '-f',
    composeFile(world, reference),
    '--app',
    'web',
    '--version',
    'v1',
  ]);
  await world.fleet.cli([
    'rollout',
    'start',
    'web:v1',
    '--canary',
    '1',
    '--bake',
    '0s',
    '--deadline',
    '60s',
    '--wait',
  ]);
  return device;
}

const world = await openWorld('bench');
try {
  const base = makeBase(world);
  const device = await prepare(world, base);
  const questions: Question[] = [];
  for (const ask of [
    () => memory(device),
    () => start(world, base),
    () => update(world, device, base),
    () => pull(world, device),
  ]) {
    const question = await ask();
    questions.push(question);
    print(
      `${question.title}\n${question.rows.map((row) => `  ${row.what}: ${row.ours} ${row.peer ?? ''} ${row.ratio ?? ''}`).join('\n')}`,
    );
  }
  const machine = `${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'}), Linux ${release()}, Node ${process.version}`;
  await writeDurable(
    'docs/limits.md',
    page(questions, machine, new Date().toISOString().slice(0, 10)),
  );
} catch (error) {
  process.stderr.write(`${errorText('bench', error)}\n`);
  process.exitCode = 1;
} finally {
  await world.dispose();
}
process.exit();
