// SPDX-License-Identifier: Apache-2.0
// The bell: no ring is lost, and no wait lasts longer than it was asked to.

import test from 'ava';
import { systemClock } from '../../../adapters/clock.js';
import { openBell } from '../../../agent/wake.js';

const idle = (): AbortSignal => new AbortController().signal;
const inMs = (ms: number): number => systemClock.monotonicMs() + ms;

test('A ring before the wait ends it at once, and two are one', async (t) => {
  const bell = openBell(systemClock);
  bell.ring();
  bell.ring();
  const beganMs = performance.now();
  await bell.wait(inMs(5000), idle());
  t.true(performance.now() - beganMs < 1000);
  await bell.wait(inMs(50), idle());
  t.true(performance.now() - beganMs >= 45, 'the second ring was the same ring');
});

test('A ring, the time or an abort ends the wait', async (t) => {
  const bell = openBell(systemClock);
  setTimeout(() => bell.ring(), 10);
  await bell.wait(inMs(60_000), idle());
  await bell.wait(inMs(10), idle());
  await bell.wait(inMs(-10), idle());
  const abort = new AbortController();
  setTimeout(() => abort.abort(), 10);
  await bell.wait(inMs(60_000), abort.signal);
  await bell.wait(inMs(60_000), abort.signal);
  t.pass();
});
