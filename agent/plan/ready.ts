// SPDX-License-Identifier: Apache-2.0
// What a release needs before it can be switched to: its images, one after the other, then its bundles. What
// runs is not touched by any of it.

import type { Backoff, Observed } from './observed.js';
import type { Whole } from './order.js';
import type { Step } from './step.js';

export function readySteps(whole: Whole, observed: Observed): Step[] {
  const pull = pullSteps(whole, observed);
  return pull.length > 0 ? pull : createSteps(whole, observed);
}

/** One pull, or the wait of the images that failed a while ago. */
function pullSteps(whole: Whole, observed: Observed): Step[] {
  const held = new Set<string>(observed.images.map(({ digest }) => digest));
  const lacking = whole.members
    .map(({ workload }) => workload.image)
    .filter(({ digest }, at, all) => !held.has(digest) && firstAt(all, digest) === at);
  const next = lacking.find(({ digest }) => heldUp(observed, digest) === undefined);
  if (next !== undefined) {
    return [{ kind: 'pull', image: next.digest, reference: next.reference }];
  }
  return lacking.flatMap(({ digest }) => waitFor(heldUp(observed, digest)));
}

function firstAt(images: ReadonlyArray<{ digest: string }>, digest: string): number {
  return images.findIndex((image) => image.digest === digest);
}

function createSteps(whole: Whole, observed: Observed): Step[] {
  const made = new Set(observed.containers.map(({ id }) => id));
  return whole.members
    .filter(({ id }) => !made.has(id))
    .flatMap(({ workload, spec, id }): Step[] => {
      const backoff = heldUp(observed, id);
      if (backoff !== undefined) return waitFor(backoff);
      return [{ kind: 'create', container: id, workload, spec, release: whole.digest }];
    });
}

/** The backoff that forbids an attempt now. */
export function heldUp(observed: Observed, subject: string): Backoff | undefined {
  return observed.backoffs.find(
    (backoff) => backoff.subject === subject && backoff.notBeforeMs > observed.nowMs,
  );
}

export function waitFor(backoff: Backoff | undefined): Step[] {
  if (backoff === undefined) return [];
  const { code, message, notBeforeMs } = backoff;
  return [{ kind: 'wait', code, message, untilMs: notBeforeMs }];
}
