// SPDX-License-Identifier: Apache-2.0
// The plan: from what is observed to the steps that are possible now, in order. The caller does them, looks
// again and asks again; an empty plan means that nothing is left to do.
// INVARIANT: a function of its argument. The same picture gives the same steps; a plan is JSON.
// A release switches as a whole: nothing of it runs before all of it can, and what was good stays runnable
// until the new one has passed its gate.

import type { Digest } from '../../protocol/name.js';
import { gateStep, isFinal } from './gate.js';
import type { FailedRelease, Observed } from './observed.js';
import { type Whole, wholeOf } from './order.js';
import { pruneSteps, removeSteps } from './prune.js';
import { readySteps } from './ready.js';
import { refusalOf } from './refusal.js';
import { retrySteps, startSteps, stopSteps } from './run.js';
import type { Step } from './step.js';

export function plan(observed: Observed): Step[] {
  const { desired } = observed;
  if (desired === undefined) return keepSteps(observed);
  if (desired.release === null) return emptySteps(observed);
  const failed = observed.failed.find(({ release }) => release === desired.release);
  if (failed !== undefined) return returnSteps(failed, observed);
  const target = heldWhole(desired.release, observed);
  if (target === undefined) return [...keepSteps(observed), missingWait];
  return targetSteps(target, observed);
}

const missingWait: Step = {
  kind: 'wait',
  code: 'DESIRED_MISSING',
  message: 'the document of the release has not arrived',
  untilMs: null,
};

function heldWhole(digest: Digest | null | undefined, observed: Observed): Whole | undefined {
  const held = observed.releases.find((one) => one.digest === digest);
  return held === undefined ? undefined : wholeOf(held);
}

/** What shall run until something better is ready: the trial, else the good one. */
function currentWhole(observed: Observed): Whole | undefined {
  return heldWhole(observed.trial?.release ?? observed.good, observed);
}

/** Releases whose images and bundles must stay. */
function neededWholes(observed: Observed): Whole[] {
  const { good, trial, desired, failed } = observed;
  const isFailed = failed.some(({ release }) => release === desired?.release);
  return [good, trial?.release, isFailed ? null : desired?.release].flatMap((digest) => {
    const whole = heldWhole(digest, observed);
    return whole === undefined ? [] : [whole];
  });
}

function targetSteps(target: Whole, observed: Observed): Step[] {
  const current = currentWhole(observed);
  if (current?.digest === target.digest) return calmly(keepSteps(observed), observed);
  const refusal = refusalOf(target.release, observed.policy);
  if (refusal !== undefined) return [{ kind: 'refuse', release: target.digest, ...refusal }];
  const keep = keepSteps(observed);
  if (keep.some((step) => step.kind !== 'wait')) return keep;
  const ready = preparedSteps(target, observed);
  if (ready.length > 0) return [...keep, ...ready];
  return switchSteps(target, observed);
}

/** Room is made first; an image or a bundle that can never be made fails the release. */
function preparedSteps(target: Whole, observed: Observed): Step[] {
  const steps = readySteps(target, observed);
  if (steps.length === 0) return [];
  const final = finalFailure(target, observed);
  if (final !== undefined) return [final];
  const isLow = observed.diskFreeBytes < observed.diskLowBytes;
  return isLow ? [...pruneSteps(observed, neededWholes(observed)), ...steps] : steps;
}

function finalFailure(target: Whole, observed: Observed): Step | undefined {
  const lacking = new Set<string>(
    target.members.flatMap(({ id, workload }) => {
      const hasImage = observed.images.some(({ digest }) => digest === workload.image.digest);
      const hasBundle = observed.containers.some((container) => container.id === id);
      return [...(hasImage ? [] : [workload.image.digest]), ...(hasBundle ? [] : [id])];
    }),
  );
  const backoff = observed.backoffs.find((one) => lacking.has(one.subject) && isFinal(one));
  if (backoff === undefined) return undefined;
  const { code, message } = backoff;
  return { kind: 'fail', release: target.digest, code, message };
}

function switchSteps(target: Whole, observed: Observed): Step[] {
  const own = new Set(target.members.map(({ id }) => id));
  const baseline = observed.containers.flatMap(({ id, status }) =>
    own.has(id) && status !== undefined
      ? [{ container: id, restartCount: status.restartCount }]
      : [],
  );
  return [
    { kind: 'try', release: target.digest, from: observed.good, baseline },
    ...stopSteps(target, observed),
  ];
}

/** Keeps the current release running, and moves its gate on where it is on trial. */
function keepSteps(observed: Observed): Step[] {
  const current = currentWhole(observed);
  if (current === undefined) return [];
  const gate =
    observed.trial?.release === current.digest ? gateStep(current, observed.trial, observed) : null;
  if (gate?.kind === 'fail') return [gate];
  const run = runSteps(current, observed, gate === null);
  if (run.some((step) => step.kind !== 'wait') || gate === null) return run;
  if (gate.kind === 'wait') return [...run, gate];
  return run.length > 0 && gate.kind !== 'unwell' ? run : [gate];
}

function runSteps(current: Whole, observed: Observed, isGood: boolean): Step[] {
  const stops = stopSteps(current, observed);
  if (stops.length > 0) return stops;
  const ready = readySteps(current, observed);
  const starts = startSteps(whatIsMade(current, observed), observed, isGood);
  const retries = isGood ? retrySteps(current, observed) : [];
  return [...starts, ...retries, ...ready];
}

/** A bundle that got lost does not keep the others from starting. */
function whatIsMade(whole: Whole, observed: Observed): Whole {
  const made = new Set(observed.containers.map(({ id }) => id));
  return { ...whole, members: whole.members.filter(({ id }) => made.has(id)) };
}

/** Tidies where nothing else is left to do and nothing is on trial. */
function calmly(steps: Step[], observed: Observed): Step[] {
  if (steps.length > 0 || observed.trial !== null) return steps;
  const needed = neededWholes(observed);
  return [...removeSteps(observed, needed), ...pruneSteps(observed, needed)];
}

/** The desired release failed here: whole back to the good one, or, where there is none, to nothing. */
function returnSteps(failed: FailedRelease, observed: Observed): Step[] {
  const current = currentWhole(observed);
  if (current === undefined) return isBlank(observed) ? emptySteps(observed) : [];
  const steps = keepSteps(observed);
  if (steps.length > 0 || observed.trial !== null || failed.returned)
    return calmly(steps, observed);
  const { release, code, message } = failed;
  return [{ kind: 'back', release: current.digest, failed: release, code, message }];
}

function emptySteps(observed: Observed): Step[] {
  const stops = stopSteps(undefined, observed);
  if (stops.length > 0) return stops;
  const removes = removeSteps(observed, []);
  if (removes.length > 0) return removes;
  return isBlank(observed) ? pruneSteps(observed, []) : [{ kind: 'empty', release: null }];
}

/** Nothing is good and nothing is on trial. A good release whose document got lost is not nothing. */
function isBlank(observed: Observed): boolean {
  return observed.good === null && observed.trial === null;
}
