// SPDX-License-Identifier: Apache-2.0
// Whether an assignment becomes the desired: signed by an assignment key, meant for this device, newer than
// what was accepted, and not a way back to an older release. Refused is refused: nothing changes.
// INVARIANT: what is accepted is durable before anybody acts on it; (epoch, generation) only grows, also over
// a damaged database.

import { type Assignment, assignment as assignmentCheck } from '../../protocol/assignment.js';
import { payloadTypes } from '../../protocol/envelope.js';
import type { Trust } from '../../protocol/trust.js';
import { markOf } from '../store/floor.js';
import type { Mark, Store } from '../store/types.js';
import { readSigned, refused } from './signed.js';

/** Who the device is, and whom it believes. */
export interface Believer {
  readonly tenant: string;
  readonly device: string;
  readonly trust: Trust;
}

export interface AssignmentContext {
  readonly believer: Believer;
  readonly store: Pick<Store, 'desired'>;
  /** Wall clock, ms. */
  readonly nowMs: number;
}

/** Envelope of a document of at most 1 KB and 4 KiB of variables, with room for signatures. */
export const assignmentBytesMax = 16 * 1024;

/** `known`: it was accepted before. */
export type Accepted = { is: 'new' | 'known'; assignment: Assignment };

/** @throws DESIRED_FORM, _SIGNATURE, _FOREIGN, _EPOCH, _STALE, _EQUIVOCATION, _OLD_RELEASE, _EXPIRED */
export async function acceptAssignment(
  text: string,
  context: AssignmentContext,
): Promise<Accepted> {
  const { believer, store } = context;
  const { document: assignment, envelope } = readSigned(text, {
    what: 'assignment',
    payloadType: payloadTypes.assignment,
    keys: believer.trust.assignment,
    check: assignmentCheck,
    bytesMax: assignmentBytesMax,
  });
  checkAddress(assignment, believer);
  const last = (await store.desired.assignment())?.assignment;
  if (last !== undefined && isSame(markOf(assignment), markOf(last))) {
    return { is: 'known', assignment: last };
  }
  checkOrder(assignment, await store.desired.floor());
  await checkCounter(assignment, store);
  checkExpiry(assignment, context.nowMs);
  await store.desired.accept(assignment, envelope);
  return { is: 'new', assignment };
}

function factsOf(assignment: Assignment): Record<string, string | number> {
  const { epoch, generation, release } = assignment;
  return { epoch, generation, ...(release === null ? {} : { release: release.digest }) };
}

function checkAddress(assignment: Assignment, believer: Believer): void {
  const { tenant, device, epoch } = assignment;
  if (tenant !== believer.tenant || device !== believer.device) {
    const message = `assignment: it is for ${tenant}/${device}, not for this device`;
    throw refused('DESIRED_FOREIGN', message, { tenant, device });
  }
  if (epoch !== believer.trust.epoch) {
    const message = `assignment: epoch ${epoch}, trusted is ${believer.trust.epoch}`;
    throw refused('DESIRED_EPOCH', message, factsOf(assignment));
  }
}

function isSame(one: Mark, other: Mark): boolean {
  return (
    one.epoch === other.epoch &&
    one.generation === other.generation &&
    one.release === other.release &&
    one.variables === other.variables
  );
}

/** The last one's own place is free for itself: the database may have lost it, or never got it. */
function checkOrder(assignment: Assignment, last: Mark | undefined): void {
  if (last === undefined || assignment.epoch > last.epoch) return;
  const where = `(epoch ${last.epoch}, generation ${last.generation})`;
  if (assignment.epoch < last.epoch) {
    const message = `assignment: epoch ${assignment.epoch} is older than ${where}`;
    throw refused('DESIRED_EPOCH', message, factsOf(assignment));
  }
  if (assignment.generation === last.generation) {
    if (isSame(markOf(assignment), last)) return;
    const message = `assignment: another release or other variables than those of ${where} accepted before`;
    throw refused('DESIRED_EQUIVOCATION', message, factsOf(assignment));
  }
  if (assignment.generation < last.generation) {
    const message = `assignment: generation ${assignment.generation} is older than ${where}`;
    throw refused('DESIRED_STALE', message, factsOf(assignment));
  }
}

async function checkCounter(
  assignment: Assignment,
  store: AssignmentContext['store'],
): Promise<void> {
  if (assignment.release === null) return;
  const { app, counter } = assignment.release;
  const least = await store.desired.counterOf(app);
  if (counter >= least) return;
  const message = `assignment: counter ${counter} of ${app} is below ${least}, which was good here`;
  throw refused('DESIRED_OLD_RELEASE', message, { ...factsOf(assignment), app, counter, least });
}

/** Only with a clock that can be right: one behind the assignment's own issue has not been set yet. */
function checkExpiry(assignment: Assignment, nowMs: number): void {
  const { notAfter, issuedAt } = assignment;
  if (notAfter === undefined || nowMs < Date.parse(issuedAt)) return;
  if (nowMs <= Date.parse(notAfter)) return;
  throw refused('DESIRED_EXPIRED', `assignment: not after ${notAfter}`, factsOf(assignment));
}
