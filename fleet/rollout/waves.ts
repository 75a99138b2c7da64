// SPDX-License-Identifier: Apache-2.0
// Splits the devices of a rollout into waves, once, at its start. A wave is a count or a percent of all,
// cumulative: 1, 25 %, then whatever is left. Pure: the ranks come in, so the same call gives the same plan.

import { CodedError } from '../../protocol/error.js';

/** `3` or `25%`: how many devices have the release once this wave is through. */
export type WaveSize = { readonly count: number } | { readonly percent: number };

export const waveCountMax = 32;

/** @throws ROLLOUT_PLAN */
export function parseWaveSize(text: string): WaveSize {
  const [, number, sign] = /^(\d{1,7}(?:\.\d{1,3})?)(%?)$/.exec(text) ?? [];
  const value = Number(number);
  if (sign === '%' && value > 0 && value <= 100) return { percent: value };
  if (sign === '' && Number.isInteger(value) && value >= 1) return { count: value };
  throw new CodedError(
    'ROLLOUT_PLAN',
    `a wave is a count like 3 or a percent like 25%, not ${text}`,
  );
}

/**
 * The devices of each wave, lowest rank first; no wave is empty, and together they are all. The last wave
 * takes what is left. @throws ROLLOUT_PLAN where sizes do not grow or are too many
 */
export function planWaves(
  devices: ReadonlyArray<{ readonly device: string; readonly rank: string }>,
  sizes: readonly WaveSize[],
): string[][] {
  if (sizes.length >= waveCountMax) {
    throw new CodedError('ROLLOUT_PLAN', `more than ${waveCountMax} waves`);
  }
  checkGrowth(sizes);
  const order = [...devices].sort(byRank).map(({ device }) => device);
  const waves: string[][] = [];
  let from = 0;
  for (const size of [...sizes, { percent: 100 }]) {
    const to = Math.min(order.length, Math.max(from, reach(size, order.length)));
    if (to > from) waves.push(order.slice(from, to));
    from = to;
  }
  return waves;
}

type Ranked = { readonly device: string; readonly rank: string };

function byRank(a: Ranked, b: Ranked): number {
  if (a.rank !== b.rank) return a.rank < b.rank ? -1 : 1;
  return a.device < b.device ? -1 : 1;
}

/** At least one device: a percent of few devices is not nothing. */
function reach(size: WaveSize, total: number): number {
  return 'count' in size ? size.count : Math.max(1, Math.floor((total * size.percent) / 100));
}

/** A count and a percent cannot be compared before the devices are known; two of one kind can. */
function checkGrowth(sizes: readonly WaveSize[]): void {
  for (const [at, size] of sizes.entries()) {
    const before = sizes[at - 1];
    if (before === undefined) continue;
    const isSmaller =
      ('count' in size && 'count' in before && size.count <= before.count) ||
      ('percent' in size && 'percent' in before && size.percent <= before.percent);
    if (isSmaller) {
      throw new CodedError('ROLLOUT_PLAN', `wave ${at} is not larger than wave ${at - 1}`, {
        wave: at,
      });
    }
  }
}
