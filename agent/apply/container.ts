// SPDX-License-Identifier: Apache-2.0
// Starts and stops. A container that the keeper gave up on is stopped with a reason, which puts its next
// start off a little longer each time.

import { nextBackoff } from './backoff.js';
import type { Executor } from './context.js';

export const startContainer: Executor<'start'> = async ({ container }, { run }) => {
  await run.start(container);
};

export const stopContainer: Executor<'stop'> = async (step, context) => {
  const { store, run, clock } = context;
  const { container: subject, graceMs, because } = step;
  await run.stop(subject, graceMs);
  if (because === undefined) return;
  const before = (await store.journal.backoffs()).find((one) => one.subject === subject);
  const failure = { subject, ...because };
  await store.journal.putBackoff(nextBackoff(before, failure, clock.monotonicMs(), Math.random()));
};
