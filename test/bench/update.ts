// SPDX-License-Identifier: Apache-2.0
// How long from the order to the running container, and how many bytes does an update cost?

import { bytesText } from '../../adapters/terminal.js';
import { until } from '../kit/world/program.js';
import { composeFile, pushWeb } from '../kit/world/web.js';
import { type Device, httpGet, type World } from '../kit/world/world.js';
import { median, type Question } from './question.js';

const rounds = 5;
/** A connection that falls between the two containers is given up early, and asked again. */
const patienceMs = 200;

interface EventRow {
  readonly type: string;
  readonly at: string;
  readonly generation: number;
  readonly counts?: Readonly<Record<string, number>>;
}

/** Each round is a new version whose image the device already has; then the time from order to the first answer. */
export async function update(world: World, device: Device, base: string): Promise<Question> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const version = `b${round}`;
    const reference = await pushWeb(world, base, { version });
    await device.cli(['pull', reference]);
    await world.fleet.cli([
      'release',
      'create',
      '-f',
      composeFile(world, reference),
      '--app',
      'web',
      '--version',
      version,
    ]);
    const startedAt = performance.now();
    await world.fleet.cli([
      'rollout',
      'start',
      `web:${version}`,
      '--canary',
      '1',
      '--bake',
      '0s',
      '--deadline',
      '60s',
    ]);
    await until(`${version} answers`, 60_000, async () =>
      (await httpGet(device.netns, `http://${device.address}:8080/`, patienceMs))?.trim() ===
      `hello from ${version}`
        ? true
        : undefined,
    );
    times.push(performance.now() - startedAt);
    await until('the rollout has finished', 60_000, async () => {
      const rollouts = await world.fleet.json<Array<{ state: string }>>(['rollout', 'ls']);
      return rollouts.every((rollout) => rollout.state !== 'running') ? true : undefined;
    });
  }
  const bytes = await bytesOfUpdate(world, base);
  return {
    title: 'An update of one workload',
    how: `A new version of the demo's web server, ${rounds} rounds, median, image already on the device: from the start of \`wherry-fleet rollout start\` (Node's own start of about 0.4 s and the stop of the old container included) to the first HTTP answer of the new version, asked for by a new process each time. Bytes: what the device fetched for a version whose application layer alone changed.`,
    rows: [
      {
        what: 'order → new version answers, image present',
        ours: `${median(times).toFixed(0)} ms`,
      },
      {
        what: 'bytes fetched for an update of the application layer',
        ours: bytesText(bytes.fetched),
        peer: `whole image ${bytesText(bytes.whole)}`,
        ratio: (bytes.fetched / bytes.whole).toFixed(3),
      },
    ],
  };
}

async function bytesOfUpdate(
  world: World,
  base: string,
): Promise<{ fetched: number; whole: number }> {
  const reference = await pushWeb(world, base, { version: 'bytes' });
  await world.fleet.cli([
    'release',
    'create',
    '-f',
    composeFile(world, reference),
    '--app',
    'web',
    '--version',
    'bytes',
  ]);
  await world.fleet.cli([
    'rollout',
    'start',
    'web:bytes',
    '--canary',
    '1',
    '--bake',
    '0s',
    '--deadline',
    '60s',
    '--wait',
  ]);
  const events = await world.fleet.json<EventRow[]>(['events', '--type', 'pulled']);
  const counts = events.at(-1)?.counts ?? {};
  return { fetched: counts['bytesFetched'] ?? 0, whole: counts['imageBytes'] ?? 0 };
}
