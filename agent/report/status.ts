// SPDX-License-Identifier: Apache-2.0
// The device's state for a person on it: `wherry status` and `wherry why`. Only words; nothing is done here.

import type { Reported } from '../../protocol/device.js';
import type { LocalStatus, LocalWhy } from '../../protocol/local.js';
import { type Digest, shortOf } from '../../protocol/name.js';
import type { Observed } from '../plan/observed.js';

export interface Who {
  readonly agent: string;
  readonly device: string | null;
  readonly tenant: string | null;
  readonly linked: boolean;
}

export function statusOf(who: Who, reported: Reported, observed: Observed): LocalStatus {
  return {
    ...who,
    epoch: reported.epoch,
    generation: reported.observedGeneration,
    release: named(reported.release, observed),
    good: named(reported.good, observed),
    failed: reported.failed ?? null,
    step: reported.step ?? null,
    conditions: reported.conditions,
  };
}

function named(digest: Digest | null, observed: Observed): LocalStatus['release'] {
  const held = observed.releases.find((one) => one.digest === digest);
  if (held === undefined) return null;
  return { digest: held.digest, app: held.release.app, version: held.release.version };
}

export function whyOf(
  reported: Reported,
  observed: Observed,
  events: LocalWhy['events'],
): LocalWhy {
  return { summary: summaryOf(reported, observed), events };
}

function summaryOf(reported: Reported, observed: Observed): string {
  const converged = reported.conditions.find(({ type }) => type === 'Converged');
  const runs = nameOf(reported.release, observed);
  if (observed.desired === undefined) return 'nothing was asked of this device yet';
  if (converged?.status === 'True') return `all is as asked: ${runs} runs`;
  const why = [converged?.code, converged?.message].filter((part) => part !== undefined).join(': ');
  const asked = nameOf(observed.desired.release, observed);
  return `${runs} runs, ${asked} was asked${why === '' ? '' : `; ${why}`}`;
}

function nameOf(digest: Digest | null, observed: Observed): string {
  if (digest === null) return 'nothing';
  const name = named(digest, observed);
  return name === null ? `release ${shortOf(digest)}` : `${name.app} ${name.version}`;
}
