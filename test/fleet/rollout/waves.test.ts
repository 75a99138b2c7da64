// SPDX-License-Identifier: Apache-2.0
// Sizes of waves as people write them.

import test from 'ava';
import { parseWaveSize, planWaves } from '../../../fleet/rollout/waves.js';
import { codeOf } from '../../../protocol/error.js';

const ten = Array.from({ length: 10 }, (_, n) => ({ device: `d${n}`, rank: String(9 - n) }));

const counts = (...sizes: string[]): number[] =>
  planWaves(ten, sizes.map(parseWaveSize)).map((wave) => wave.length);

test('sizes are cumulative and the rest comes last', (t) => {
  t.deepEqual(counts('1', '25%', '50%'), [1, 1, 3, 5]);
  t.deepEqual(counts('1'), [1, 9]);
  t.deepEqual(counts(), [10]);
  t.deepEqual(counts('1', '100%'), [1, 9]);
});

test('a percent of few devices is one device, and a count above all is all', (t) => {
  t.deepEqual(counts('1%'), [1, 9]);
  t.deepEqual(counts('50'), [10]);
});

test('the rank decides, not the name', (t) => {
  t.deepEqual(planWaves(ten, [{ count: 2 }])[0], ['d9', 'd8']);
});

test('sizes that do not grow, and words that are no sizes, are refused', (t) => {
  for (const sizes of [
    ['3', '2'],
    ['50%', '50%'],
    ['0'],
    ['0%'],
    ['101%'],
    ['-1'],
    ['1.5'],
    ['many'],
  ]) {
    t.is(codeOf(t.throws(() => counts(...sizes))), 'ROLLOUT_PLAN', sizes.join());
  }
});
