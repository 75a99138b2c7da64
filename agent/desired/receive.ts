// SPDX-License-Identifier: Apache-2.0
// What comes in from the fleet, accepted or refused. A refusal changes nothing and is told once: a broker
// that replays the same text over and over fills neither the log nor the outbox. What nobody trusted has
// signed is told once a minute, however many texts there are: anybody who can publish may have made them up.

import { createHash } from 'node:crypto';
import type { Assignment } from '../../protocol/assignment.js';
import type { Event } from '../../protocol/device.js';
import { CodedError } from '../../protocol/error.js';
import { type Digest, isDigest } from '../../protocol/name.js';
import type { Store } from '../store/types.js';
import { acceptAssignment, type Believer } from './assignment.js';
import { acceptRelease, missingReleases } from './release.js';

export interface ReceiverParts {
  readonly believer: Believer;
  readonly store: Store;
  /** Wall clock, ms. */
  readonly now: () => number;
  /** An event as of the desired that is accepted now. */
  readonly eventOf: (facts: Pick<Event, 'type' | 'release' | 'code' | 'message'>) => Promise<Event>;
  /** The desired changed. */
  readonly onAccepted: (assignment: Assignment, missing: readonly Digest[]) => void;
  readonly onReleased: (digest: Digest) => void;
  readonly onRefused: (error: CodedError) => void;
  readonly refusedCountMax: number;
}

/** Between two refusals that are told of texts that no trusted key has signed. */
const unsignedMs = 60_000;

export interface Receiver {
  /** Resolves when the text is accepted and durable, or refused and told. */
  desired(text: string): Promise<void>;
  release(text: string): Promise<void>;
}

export function openReceiver(parts: ReceiverParts): Receiver {
  const { believer, store, now } = parts;
  const isRepeat = repeats(parts.refusedCountMax);
  const mayTell = onceIn(unsignedMs);
  const guarded = async (text: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof CodedError) || !error.code.startsWith('DESIRED_')) throw error;
      const unsigned = error.facts['signed'] === false;
      if (isRepeat(text) || (unsigned && !mayTell(now()))) return;
      await store.outbox.put(await refusal(parts, error), { unsigned });
      parts.onRefused(error);
    }
  };
  return {
    desired: (text) =>
      guarded(text, async () => {
        const accepted = await acceptAssignment(text, { believer, store, nowMs: now() });
        if (accepted.is === 'known') return;
        // A new desired is a new chance for what failed: `retry: changed` in the codes' table.
        await store.journal.clearBackoffs();
        const release = accepted.assignment.release?.digest ?? null;
        await store.outbox.put(await parts.eventOf({ type: 'accepted', release }));
        parts.onAccepted(accepted.assignment, await missingReleases(store));
      }),
    release: (text) =>
      guarded(text, async () => {
        const { is, digest } = await acceptRelease(text, { believer, store });
        if (is === 'new') parts.onReleased(digest);
      }),
  };
}

/** Whether the text is one of the last `countMax`. */
function repeats(countMax: number): (text: string) => boolean {
  const last: string[] = [];
  return (text) => {
    const seen = createHash('sha256').update(text).digest('base64');
    if (last.includes(seen)) return true;
    last.push(seen);
    if (last.length > countMax) last.shift();
    return false;
  };
}

/** A clock that was set back does not keep it silent. */
function onceIn(ms: number): (nowMs: number) => boolean {
  let toldAtMs: number | undefined;
  return (nowMs) => {
    if (toldAtMs !== undefined && nowMs >= toldAtMs && nowMs - toldAtMs < ms) return false;
    toldAtMs = nowMs;
    return true;
  };
}

/**
 * An event names the generation that was refused only where a trusted key had signed it: otherwise anybody
 * who can publish could make a rollout count this device as failed.
 */
async function refusal(parts: ReceiverParts, error: CodedError): Promise<Event> {
  const { release, epoch, generation } = error.facts;
  const event = await parts.eventOf({
    type: 'refused',
    release: typeof release === 'string' && isDigest(release) ? release : null,
    code: error.code,
    message: error.message.slice(0, 1024),
  });
  if (typeof epoch !== 'number' || typeof generation !== 'number') return event;
  return { ...event, epoch, generation };
}
