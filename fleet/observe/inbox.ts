// SPDX-License-Identifier: Apache-2.0
// Takes in what devices say: checked in form, newer than what is known, from a device in service; then
// written down, with what it means for rollouts. What is to be answered is given back. It publishes nothing.

import type { Db, Tx } from '../../adapters/sqlite.js';
import {
  type Event,
  event,
  type Hello,
  hello,
  type Presence,
  presence,
  type Reported,
  reported,
} from '../../protocol/device.js';
import { parseJson } from '../../protocol/json.js';
import type { Digest } from '../../protocol/name.js';
import type { Topic } from '../../protocol/topic.js';
import { assignRelease } from '../apply/assign.js';
import { catchUpDevice } from '../apply/catch-up.js';
import type { Signing } from '../apply/sign.js';
import { type Asked, type Change, fromEvent, fromReported } from '../rollout/progress.js';
import { newestAssignment } from '../store/assignments.js';
import { isNews } from '../store/boots.js';
import {
  type Device,
  findDevice,
  saveHello,
  savePresence,
  saveReported,
} from '../store/devices.js';
import { addTold } from '../store/events.js';
import { activePlaces, changeDevice, needRollout, type RolloutDevice } from '../store/rollouts.js';

export interface Taken {
  /** false: stale, a repeat, or of no device in service; nothing was written. */
  readonly isNews: boolean;
  /** The device lacks its newest assignment. */
  readonly wantsDesired: boolean;
  /** Releases that it asked for. */
  readonly missing: readonly Digest[];
  /** A place in a rollout changed. */
  readonly isChange: boolean;
}

const nothing: Taken = { isNews: false, wantsDesired: false, missing: [], isChange: false };

type Uplink = Extract<Topic, { kind: 'up' }>;

/** @throws JSON_BAD, SHAPE_BAD */
export async function take(
  db: Db,
  topic: Uplink,
  text: string,
  signing: Signing,
  nowMs: number,
): Promise<Taken> {
  const { device, up } = topic;
  if (up === 'res') return nothing;
  const document = parseJson(text, up);
  const word = { hello, reported, event, presence }[up](document, up);
  return db.transaction(async (tx) => {
    const known = await findDevice(tx, device);
    if (known === undefined || known.revokedAt !== null) return nothing;
    if (!(await isNews(tx, device, up, word, nowMs))) return nothing;
    if (up === 'hello') return takeHello(tx, known, word as Hello, signing, nowMs);
    if (up === 'reported') return takeReported(tx, device, word as Reported, nowMs);
    if (up === 'event') return takeEvent(tx, device, word as Event, nowMs);
    await savePresence(tx, device, (word as Presence).online, nowMs);
    return { ...nothing, isNews: true };
  });
}

async function takeHello(
  tx: Tx,
  known: Device,
  word: Hello,
  signing: Signing,
  nowMs: number,
): Promise<Taken> {
  const { device } = known;
  await saveHello(tx, device, word, nowMs);
  const newest =
    (await newestAssignment(tx, device)) ?? (await catchUpDevice(tx, known, signing, nowMs));
  const isAhead = newest !== undefined && compare(word, newest) > 0 && word.epoch <= signing.epoch;
  if (isAhead) {
    // It remembers more than the database, which was restored: say the same again, above what it knows.
    const { release, rollout } = newest;
    await assignRelease(tx, signing, { device, release, rollout }, nowMs);
  }
  const wantsDesired = newest !== undefined && (isAhead || compare(word, newest) < 0);
  return { isNews: true, wantsDesired, missing: word.missing, isChange: false };
}

interface Instance {
  readonly epoch: number;
  readonly generation: number;
}

function compare(a: Instance, b: Instance): number {
  return a.epoch === b.epoch ? a.generation - b.generation : a.epoch - b.epoch;
}

async function takeReported(tx: Tx, device: string, word: Reported, nowMs: number): Promise<Taken> {
  await saveReported(tx, device, word, nowMs);
  const isChange = await eachPlace(tx, device, (place, asked) =>
    fromReported(place, asked, word, nowMs),
  );
  return { ...nothing, isNews: true, isChange };
}

async function takeEvent(tx: Tx, device: string, word: Event, nowMs: number): Promise<Taken> {
  const { type, generation, release, at } = word;
  await addTold(tx, {
    device,
    type,
    generation,
    release,
    at,
    ...(word.code === undefined ? {} : { code: word.code }),
    ...(word.message === undefined ? {} : { message: word.message }),
    ...(word.counts === undefined ? {} : { counts: word.counts }),
  });
  const isChange = await eachPlace(tx, device, (place, asked) => {
    const change = fromEvent(place, asked, word, nowMs);
    return isAbout(asked, word) ? { ...change, phase: type } : change;
  });
  return { ...nothing, isNews: true, isChange };
}

function isAbout(asked: Asked, word: Event): boolean {
  return word.epoch === asked.epoch && word.generation >= asked.generation;
}

/** Applies a change to each place that the device has in a rollout and was assigned in. */
async function eachPlace(
  tx: Tx,
  device: string,
  decide: (place: Change, asked: Asked) => (Partial<Change> & { phase?: string }) | undefined,
): Promise<boolean> {
  let isChange = false;
  for (const place of await activePlaces(tx, device)) {
    const asked = await askedOf(tx, place);
    const change = asked === undefined ? undefined : decide(changeOf(place), asked);
    if (change === undefined) continue;
    await changeDevice(tx, place.rollout, device, change);
    isChange = true;
  }
  return isChange;
}

async function askedOf(tx: Tx, place: RolloutDevice): Promise<Asked | undefined> {
  const { epoch, generation } = place;
  if (epoch === null || generation === null) return undefined;
  const { release } = await needRollout(tx, place.rollout);
  return { release, epoch, generation };
}

function changeOf({ outcome, goodAtMs, code, message }: RolloutDevice): Change {
  return { outcome, goodAtMs, code, message };
}
