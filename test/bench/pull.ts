// SPDX-License-Identifier: Apache-2.0
// How long does a cold pull take, from the registry to a prepared image, next to podman?

import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runIn } from '../kit/world/program.js';
import { type Device, registryHost, type World } from '../kit/world/world.js';
import { median, type Question } from './question.js';

const rounds = 3;
/** A tree that every machine with the build packages has: headers and scripts, thousands of files. */
const sources = ['/usr/include', '/usr/lib/python3', '/usr/share/perl'];

export async function pull(world: World, device: Device): Promise<Question> {
  const certDir = join(world.fleet.root, 'etc/wherry-fleet/operator');
  const tree = join(world.root, 'bench-tree');
  mkdirSync(tree);
  for (const source of sources)
    cpSync(source, join(tree, source), { recursive: true, verbatimSymlinks: true });
  const times: { ours: number[]; podman: number[] } = { ours: [], podman: [] };
  for (let round = 0; round < rounds; round += 1) {
    writeFileSync(join(tree, 'round'), String(round)); // a new layer each round, so that both pull it cold
    const reference = `${registryHost}/bench:${round}`;
    const local = `oci:${join(world.root, 'bench-layout')}:r${round}`;
    await world.image(['from-dir', tree, '-t', reference, '-o', local, '--compression', 'gzip']);
    await world.image(['push', local, reference, '--cert-dir', certDir]);
    times.ours.push(await timed(() => device.cli(['pull', reference])));
    const storage = join(world.root, 'podman');
    times.podman.push(
      await timed(async () => {
        const output = await runIn(
          device.netns,
          [
            'podman',
            '--root',
            join(storage, 'root'),
            '--runroot',
            join(storage, 'run'),
            '--storage-driver',
            'overlay',
            'pull',
            '-q',
            '--cert-dir',
            certDir,
            reference,
          ],
          { timeoutMs: 300_000 },
        );
        if (output.code !== 0) throw new Error(output.stderr);
      }),
    );
  }
  await runIn(undefined, [
    'podman',
    '--root',
    join(world.root, 'podman/root'),
    '--runroot',
    join(world.root, 'podman/run'),
    'system',
    'reset',
    '-f',
  ]);
  const ours = median(times.ours);
  const podman = median(times.podman);
  return {
    title: 'Cold pull from the registry to a prepared image',
    how: `The same gzip image (${sources.join(', ')} in one layer) from the same registry over the same cable, \`wherry pull\` and \`podman pull\` in turn, ${rounds} rounds, medians. Both verify digests; Wherry also syncs to disk before it believes the layer.`,
    rows: [
      {
        what: 'wall time',
        ours: `${ours.toFixed(0)} ms`,
        peer: `podman ${podman.toFixed(0)} ms`,
        ratio: (ours / podman).toFixed(2),
      },
    ],
  };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}
