// SPDX-License-Identifier: Apache-2.0
// Carries out one step: written down before and after, so that a power cut inside it is an ordinary case.
// INVARIANT: every executor can be done again. A failure sets the subject's backoff and is thrown on; being
// aborted is no failure.

import { CodedError, codeOf, messageOf } from '../../protocol/error.js';
import { describe, type Step, type StepKind } from '../plan/step.js';
import { nextBackoff } from './backoff.js';
import { startContainer, stopContainer } from './container.js';
import { type ApplyContext, clip, type Executor } from './context.js';
import { createContainer, pruneImage, pullImage, removeContainer } from './image.js';
import {
  commitRelease,
  emptyRelease,
  failRelease,
  refuseRelease,
  returnRelease,
  tryRelease,
  unwellRelease,
  wellRelease,
} from './release.js';

const executors: { [K in StepKind]: Executor<K> } = {
  pull: pullImage,
  create: createContainer,
  start: startContainer,
  stop: stopContainer,
  remove: removeContainer,
  try: tryRelease,
  well: wellRelease,
  unwell: unwellRelease,
  commit: commitRelease,
  fail: failRelease,
  refuse: refuseRelease,
  back: returnRelease,
  empty: emptyRelease,
  prune: pruneImage,
  wait: async () => undefined,
};

/** What a step is about, as backoffs name it. */
export function subjectOf(step: Step): string {
  if ('container' in step) return step.container;
  if ('image' in step) return step.image;
  return 'release' in step ? (step.release ?? 'nothing') : step.kind;
}

/** @throws what the executor throws, after it is written down */
export async function applyStep(step: Step, context: ApplyContext): Promise<void> {
  if (step.kind === 'wait') return;
  const { store, log, signal } = context;
  const subject = subjectOf(step);
  log.info({ step: step.kind, subject }, describe(step));
  const id = await store.journal.begin(step.kind, subject);
  try {
    const execute = executors[step.kind] as Executor<StepKind>;
    await execute(step, context);
  } catch (error) {
    if (signal.aborted) await store.journal.end(id, 'failed', 'CLOSED', 'given up');
    else await noteFailure(id, subject, error, context);
    throw error;
  }
  await store.journal.end(id, 'done');
  if (step.kind === 'pull' || step.kind === 'create') await store.journal.clearBackoff(subject);
}

/**
 * What the last agent was inside of when it ended counts as failed: a step that ends the agent each time must
 * not be tried at once for ever. To be called before the first step.
 */
export async function settleCutOff(
  context: Pick<ApplyContext, 'store' | 'clock' | 'log'>,
): Promise<void> {
  for (const { id, step, subject } of await context.store.journal.begun()) {
    const error = new CodedError('AGENT_CUT_OFF', `the agent ended inside the step ${step}`);
    context.log.warn({ step, subject, code: error.code }, 'the last agent ended inside a step');
    await noteFailure(id, subject, error, context);
  }
}

async function noteFailure(
  id: number,
  subject: string,
  error: unknown,
  context: Pick<ApplyContext, 'store' | 'clock'>,
): Promise<void> {
  const { journal } = context.store;
  const failure = { subject, code: codeOf(error), message: clip(messageOf(error)) };
  await journal.end(id, 'failed', failure.code, failure.message);
  const before = (await journal.backoffs()).find((one) => one.subject === subject);
  const nowMs = context.clock.monotonicMs();
  await journal.putBackoff(nextBackoff(before, failure, nowMs, Math.random()));
}
