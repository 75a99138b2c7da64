// SPDX-License-Identifier: Apache-2.0
// How much memory does the whole stack hold while nothing happens?

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { nativeProgram } from '../../adapters/places.js';
import { bytesText } from '../../adapters/terminal.js';
import type { Device } from '../kit/world/world.js';
import type { Question } from './question.js';

const settleMs = 20_000;
const bundle = join(dirname(nativeProgram('wherry-run')), 'bundle');

/** Private and shared memory of a process in bytes, from smaps_rollup. */
function memoryOf(pid: number): { pss: number; anonymous: number } {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const field = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) * 1024;
  return { pss: field('Pss'), anonymous: field('Pss_Anon') };
}

function keepersOf(root: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        return line.includes('wherry-keep') && line.includes(root);
      } catch {
        return false; // it ended while we looked
      }
    });
}

export async function memory(device: Device): Promise<Question> {
  // The bundled agent, as a device runs it, with a node binary of its own: nobody shares its pages.
  await device.stop();
  process.env['WHERRY_BUNDLE'] = bundle;
  await device.start();
  delete process.env['WHERRY_BUNDLE'];
  await new Promise((resolve) => setTimeout(resolve, settleMs));
  const agent = memoryOf(device.pid());
  const keepers = keepersOf(device.root).map(memoryOf);
  const keeperPss = keepers.reduce((sum, each) => sum + each.pss, 0);
  return {
    title: 'Idle memory of the whole stack on a device',
    how: `PSS from \`/proc/PID/smaps_rollup\`, ${settleMs / 1000} s after the last change, one container, link up. The agent is that of \`make bundle\`, with a node binary of its own, so that no other process shares its pages.`,
    rows: [
      {
        what: 'wherryd, PSS (anonymous part)',
        ours: `${bytesText(agent.pss)} (${bytesText(agent.anonymous)})`,
      },
      {
        what: `wherry-keep, PSS, each of ${keepers.length}`,
        ours: bytesText(keeperPss / keepers.length),
      },
      { what: 'all resident processes, PSS', ours: bytesText(agent.pss + keeperPss) },
    ],
  };
}
