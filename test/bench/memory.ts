// SPDX-License-Identifier: Apache-2.0
// How much memory does the whole stack hold while nothing happens?

import { readdirSync, readFileSync } from 'node:fs';
import { bytesText } from '../../adapters/terminal.js';
import type { Device } from '../kit/world/world.js';
import type { Question } from './question.js';

const settleMs = 20_000;

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
  await new Promise((resolve) => setTimeout(resolve, settleMs));
  const agent = memoryOf(device.pid());
  const keepers = keepersOf(device.root).map(memoryOf);
  const keeperPss = keepers.reduce((sum, each) => sum + each.pss, 0);
  return {
    title: 'Idle memory of the whole stack on a device',
    how: `PSS from \`/proc/PID/smaps_rollup\`, ${settleMs / 1000} s after the last change, one container, link up. The fleet server runs on the same machine and shares the node binary's pages, so the agent's PSS alone on a device is higher by its file part; anonymous memory is the honest floor.`,
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
