// SPDX-License-Identifier: Apache-2.0
// What happens to a release as a whole: tried, well, committed, failed. Each is one transaction that also
// holds the event which tells the fleet of it.

import { clip, type Executor } from './context.js';

export const tryRelease: Executor<'try'> = async (step, context) => {
  const { store, clock } = context;
  const { release, baseline } = step;
  const event = await context.eventOf({ type: 'switching', release });
  await store.verdicts.try(
    { release, switchedAtMs: clock.monotonicMs(), wellSinceMs: null, baseline },
    event,
  );
};

export const wellRelease: Executor<'well'> = async ({ release }, context) => {
  const event = await context.eventOf({ type: 'gating', release });
  await context.store.verdicts.well(context.clock.monotonicMs(), event);
};

export const unwellRelease: Executor<'unwell'> = async (_step, { store }) => {
  await store.verdicts.well(null);
};

/** Documents of releases that are neither good nor desired go with it. */
export const commitRelease: Executor<'commit'> = async ({ release }, context) => {
  const { store } = context;
  const desired = (await store.desired.assignment())?.assignment.release?.digest;
  await store.verdicts.commit(release, await context.eventOf({ type: 'good', release }));
  for (const { digest } of await store.desired.releases()) {
    if (digest !== release && digest !== desired) await store.desired.removeRelease(digest);
  }
};

export const failRelease: Executor<'fail'> = async ({ release, code, message }, context) => {
  const event = await context.eventOf({ type: 'failed', release, code, message: clip(message) });
  await context.store.verdicts.fail(release, code, clip(message), event);
};

export const refuseRelease: Executor<'refuse'> = async ({ release, code, message }, context) => {
  const event = await context.eventOf({ type: 'refused', release, code, message: clip(message) });
  await context.store.verdicts.fail(release, code, clip(message), event);
};

export const returnRelease: Executor<'back'> = async (step, context) => {
  const { failed, code, message } = step;
  const event = await context.eventOf({
    type: 'rolledBack',
    release: failed,
    code,
    message: clip(message),
  });
  await context.store.verdicts.returned(failed, event);
};

export const emptyRelease: Executor<'empty'> = async (_step, context) => {
  await context.store.verdicts.empty(await context.eventOf({ type: 'good', release: null }));
};
