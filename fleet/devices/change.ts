// SPDX-License-Identifier: Apache-2.0
// What changes a device's place in the fleet: enrolment, labels, revocation. Each writes an event with it.

import { instantOf } from '../../adapters/clock.js';
import type { Db } from '../../adapters/sqlite.js';
import type { Labels } from '../../protocol/api.js';
import { type LabelsRequest, labels as labelsCheck } from '../../protocol/api.js';
import { exclude } from '../apply/start.js';
import {
  enrolDevice,
  type NewDevice,
  needDevice,
  revokeDevice,
  setLabels,
} from '../store/devices.js';
import { addEvent } from '../store/events.js';
import { markDue } from '../store/variables.js';

/** The device's id. @throws DEVICE_REVOKED */
export function enrolled(
  db: Db,
  asked: NewDevice & { claim: string },
  nowMs: number,
): Promise<string> {
  return db.transaction(async (tx) => {
    const device = await enrolDevice(tx, asked, nowMs);
    await markDue(tx, device);
    const message = `by claim ${asked.claim}`;
    await addEvent(tx, { type: 'enrolled', device, message, at: instantOf(nowMs) });
    return device;
  });
}

/** The labels after it; null removes one. @throws DEVICE_UNKNOWN, SHAPE_BAD */
export function relabel(
  db: Db,
  device: string,
  change: LabelsRequest['labels'],
  actor: string,
  nowMs: number,
): Promise<Labels> {
  return db.transaction(async (tx) => {
    const known = await needDevice(tx, device);
    const merged = Object.entries({ ...known.labels, ...change }).filter(
      ([, value]) => value !== null,
    );
    const labels = labelsCheck(Object.fromEntries(merged), 'labels');
    await setLabels(tx, device, labels);
    await markDue(tx, device); // a selector may take it in, or no longer
    await addEvent(tx, { type: 'labelled', device, message: `by ${actor}`, at: instantOf(nowMs) });
    return labels;
  });
}

/** For good: it leaves its rollouts and gets nothing any more. @throws DEVICE_UNKNOWN */
export function revoke(db: Db, device: string, actor: string, nowMs: number): Promise<void> {
  return db.transaction(async (tx) => {
    const { revokedAt } = await needDevice(tx, device);
    if (revokedAt !== null) return;
    await revokeDevice(tx, device, nowMs);
    await exclude(tx, device, 'DEVICE_REVOKED', nowMs);
    await addEvent(tx, { type: 'revoked', device, message: `by ${actor}`, at: instantOf(nowMs) });
  });
}
