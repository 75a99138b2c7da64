// SPDX-License-Identifier: Apache-2.0
// Starts a rollout: freezes its plan, and takes its devices out of older rollouts, since the newest word
// about a device always wins. Also what an operator may say to a rollout: pause, resume, abort.

import { createHmac, randomBytes } from 'node:crypto';
import { instantOf } from '../../adapters/clock.js';
import type { Tx } from '../../adapters/sqlite.js';
import type { RolloutRequest } from '../../protocol/api.js';
import { CodedError } from '../../protocol/error.js';
import type { RolloutState } from '../rollout/facts.js';
import { parseWaveSize, planWaves } from '../rollout/waves.js';
import { selectDevices } from '../store/devices.js';
import { addEvent } from '../store/events.js';
import { needRelease } from '../store/releases.js';
import {
  activePlaces,
  addRollout,
  changeDevice,
  needRollout,
  rolloutDevices,
  setRolloutState,
} from '../store/rollouts.js';

/** Its id. @throws RELEASE_UNKNOWN, ROLLOUT_EMPTY, ROLLOUT_PLAN */
export async function startRollout(
  tx: Tx,
  request: RolloutRequest,
  createdBy: string,
  nowMs: number,
): Promise<string> {
  await needRelease(tx, request.release);
  const devices = await selectDevices(tx, request.selector);
  if (devices.length === 0) {
    const words = Object.entries(request.selector).map(([key, value]) => `${key}=${value}`);
    const selector = words.join(',');
    throw new CodedError('ROLLOUT_EMPTY', `no device in service matches '${selector}'`, {
      selector,
    });
  }
  const seed = randomBytes(16).toString('hex');
  const id = `r-${randomBytes(5).toString('hex')}`;
  const ranked = devices.map(({ device }) => ({ device, rank: rankOf(seed, device) }));
  const waves = planWaves(ranked, request.waves.map(parseWaveSize));
  for (const { device } of devices) await exclude(tx, device, 'ROLLOUT_SUPERSEDED', nowMs);
  const { release, selector, bakeMs, deadlineMs } = request;
  const { inFlightMax = devices.length, catchUp = true } = request;
  await addRollout(
    tx,
    { id, release, selector, bakeMs, deadlineMs, inFlightMax, catchUp, createdBy, seed, waves },
    nowMs,
  );
  const sizes = waves.map((wave) => wave.length).join(' + ');
  const message = `${createdBy}: ${devices.length} devices in waves of ${sizes}`;
  await addEvent(tx, {
    type: 'rolloutStarted',
    rollout: id,
    release,
    message,
    at: instantOf(nowMs),
  });
  return id;
}

/** The same seed gives the same order, and nobody can choose a device's place. */
function rankOf(seed: string, device: string): string {
  return createHmac('sha256', seed).update(device).digest('hex');
}

/** Takes a device out of the rollouts that go on. One with no device left is aborted. */
export async function exclude(
  tx: Tx,
  device: string,
  code: 'ROLLOUT_SUPERSEDED' | 'DEVICE_REVOKED',
  nowMs: number,
): Promise<void> {
  for (const { rollout } of await activePlaces(tx, device)) {
    await changeDevice(tx, rollout, device, { outcome: 'excluded', code });
    const rest = await rolloutDevices(tx, rollout);
    if (rest.some(({ outcome }) => outcome !== 'excluded')) continue;
    const message = 'none of its devices is left in it';
    await setRolloutState(tx, rollout, { state: 'aborted', code, message }, nowMs);
    await addEvent(tx, { type: 'rolloutAborted', rollout, code, message, at: instantOf(nowMs) });
  }
}

export type Order = 'pause' | 'resume' | 'abort';

const orders: Readonly<
  Record<Order, { from: readonly RolloutState[]; to: RolloutState; type: string }>
> = {
  pause: { from: ['running'], to: 'paused', type: 'rolloutPaused' },
  resume: { from: ['paused'], to: 'running', type: 'rolloutResumed' },
  abort: { from: ['running', 'paused'], to: 'aborted', type: 'rolloutAborted' },
};

/** @throws ROLLOUT_UNKNOWN, ROLLOUT_STATE */
export async function steerRollout(
  tx: Tx,
  id: string,
  order: Order,
  actor: string,
  nowMs: number,
): Promise<void> {
  const { from, to, type } = orders[order];
  const { state } = await needRollout(tx, id);
  if (!from.includes(state)) {
    throw new CodedError('ROLLOUT_STATE', `rollout ${id} is ${state}: it cannot ${order}`, {
      rollout: id,
      state,
    });
  }
  const message = `by ${actor}`;
  const code = to === 'aborted' ? ({ code: 'ROLLOUT_ABORTED' } as const) : {};
  await setRolloutState(tx, id, { state: to, message, ...code }, nowMs);
  await addEvent(tx, { type, rollout: id, message, at: instantOf(nowMs), ...code });
}
