// SPDX-License-Identifier: Apache-2.0
// One executor for each kind of rollout step. All effects are rows of the database; the loop publishes what
// has changed afterwards, so a kill between the two loses nothing.

import { instantOf } from '../../adapters/clock.js';
import type { Tx } from '../../adapters/sqlite.js';
import { bounds } from '../config.js';
import { describe, type RolloutStep } from '../rollout/facts.js';
import { rollout } from '../rollout/rollout.js';
import { addEvent } from '../store/events.js';
import {
  changeDevice,
  factsOf,
  needRollout,
  type StoredRollout,
  setRolloutState,
  setWave,
} from '../store/rollouts.js';
import { assignRelease } from './assign.js';
import type { Signing } from './sign.js';

export interface Look {
  /** Devices with a new assignment. */
  readonly assigned: readonly string[];
  /** Something was done: look again at once. */
  readonly again: boolean;
  /** When the next look is due; null = when something is reported. */
  readonly untilMs: number | null;
  /** The steps in words, for the log. */
  readonly done: readonly string[];
}

/** Reads the facts of a rollout, asks for its steps, does them. Call it inside a transaction. */
export async function stepRollout(
  tx: Tx,
  id: string,
  signing: Signing,
  nowMs: number,
): Promise<Look> {
  const stored = await needRollout(tx, id);
  const steps = rollout(await factsOf(tx, stored, nowMs));
  const assigned: string[] = [];
  const done: string[] = [];
  let untilMs: number | null = null;
  for (const step of steps) {
    if (assigned.length >= bounds.assignCountMax) break;
    if (step.kind === 'wait') {
      untilMs = step.untilMs;
      continue;
    }
    await doStep(tx, stored, step, signing, nowMs);
    if (step.kind === 'assign') assigned.push(step.device);
    done.push(describe(step));
  }
  return { assigned, again: done.length > 0, untilMs, done };
}

async function doStep(
  tx: Tx,
  stored: StoredRollout,
  step: Exclude<RolloutStep, { kind: 'wait' }>,
  signing: Signing,
  nowMs: number,
): Promise<void> {
  const { id } = stored;
  const note = (type: string, more: { code?: string; message?: string } = {}): Promise<void> =>
    addEvent(tx, { type, rollout: id, release: stored.release, at: instantOf(nowMs), ...more });
  switch (step.kind) {
    case 'openWave':
      await setWave(tx, id, step.wave, 'openedAt', nowMs);
      return note('waveOpened', { message: `wave ${step.wave}` });
    case 'passWave':
      await setWave(tx, id, step.wave, 'passedAt', nowMs);
      return note('wavePassed', { message: `wave ${step.wave}` });
    case 'assign': {
      const { device, release } = step;
      const given = await assignRelease(tx, signing, { device, release, rollout: id }, nowMs);
      const { epoch, generation } = given;
      return changeDevice(tx, id, device, { assignedAtMs: nowMs, epoch, generation });
    }
    case 'pause': {
      const { code, message } = step;
      await setRolloutState(tx, id, { state: 'paused', code, message }, nowMs);
      return note('rolloutPaused', { code, message });
    }
    case 'fail': {
      const { code, message, facts } = step;
      await setRolloutState(tx, id, { state: 'failed', code, message, facts }, nowMs);
      return note('rolloutFailed', { code, message });
    }
    case 'finish':
      await setRolloutState(tx, id, { state: 'succeeded' }, nowMs);
      return note('rolloutSucceeded');
    default:
      return step satisfies never;
  }
}
