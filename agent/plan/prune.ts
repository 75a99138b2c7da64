// SPDX-License-Identifier: Apache-2.0
// Which images and bundles may go. What is good, desired, on trial or has a container is never among them.

import type { Observed, ObservedImage } from './observed.js';
import type { Whole } from './order.js';
import { heldUp } from './ready.js';
import type { Step } from './step.js';

/** Images that nothing needs and that stay for a quick way back; the oldest beyond it go. */
export const imagesSpareMax = 2;

/** `needed`: the releases whose images must stay. */
export function pruneSteps(observed: Observed, needed: readonly Whole[]): Step[] {
  const spare = spareImages(observed, needed);
  const isLow = observed.diskFreeBytes < observed.diskLowBytes;
  const gone = isLow ? spare : spare.slice(0, Math.max(0, spare.length - imagesSpareMax));
  return gone
    .filter(({ digest }) => heldUp(observed, digest) === undefined)
    .map(({ digest }) => ({ kind: 'prune', image: digest }));
}

/** Oldest use first. */
function spareImages(observed: Observed, needed: readonly Whole[]): ObservedImage[] {
  const used = new Set<string>([
    ...observed.containers.map(({ image }) => image),
    ...needed.flatMap(({ members }) => members.map(({ workload }) => workload.image.digest)),
  ]);
  return observed.images
    .filter(({ digest }) => !used.has(digest))
    .sort((a, b) => a.usedAtMs - b.usedAtMs || (a.digest < b.digest ? -1 : 1));
}

/** Bundles that belong to none of `needed` and that no keeper holds. */
export function removeSteps(observed: Observed, needed: readonly Whole[]): Step[] {
  const kept = new Set(needed.flatMap(({ members }) => members.map(({ id }) => id)));
  return observed.containers
    .filter(({ id, status }) => !kept.has(id) && status === undefined)
    .filter(({ id }) => heldUp(observed, id) === undefined)
    .map(({ id }) => ({ kind: 'remove', container: id }));
}
