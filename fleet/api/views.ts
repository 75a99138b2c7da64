// SPDX-License-Identifier: Apache-2.0
// Rows of the database in the shapes of protocol/api.ts.

import { instantOf } from '../../adapters/clock.js';
import type { Tx } from '../../adapters/sqlite.js';
import type {
  ApiDesired,
  ApiDevice,
  ApiRelease,
  ApiRollout,
  ApiRolloutDevice,
  ApiWave,
} from '../../protocol/api.js';
import { storedRelease } from '../release/accept.js';
import type { Outcome } from '../rollout/facts.js';
import { waveState } from '../rollout/gate.js';
import { newestAssignment } from '../store/assignments.js';
import { type Device, reportedOf } from '../store/devices.js';
import { findRelease, type StoredRelease } from '../store/releases.js';
import { factsOf, rolloutDevices, type StoredRollout } from '../store/rollouts.js';

export async function deviceView(tx: Tx, device: Device): Promise<ApiDevice> {
  const { platform } = device;
  return {
    device: device.device,
    labels: device.labels,
    serial: device.serial,
    enrolledAt: instantOf(device.enrolledAt),
    revokedAt: instantOrNull(device.revokedAt),
    seenAt: instantOrNull(device.seenAt),
    online: device.online,
    agent: device.agent,
    platform: platform === null ? null : platformText(platform),
    memoryBytes: device.memoryBytes,
    desired: await desiredView(tx, device.device),
    reported: await reportedOf(tx, device.device),
  };
}

async function desiredView(tx: Tx, device: string): Promise<ApiDesired | null> {
  const newest = await newestAssignment(tx, device);
  if (newest === undefined) return null;
  const { epoch, generation, release, rollout } = newest;
  const stored = release === null ? undefined : await findRelease(tx, release);
  const named = { app: stored?.app ?? null, version: stored?.version ?? null };
  return { epoch, generation, release, ...named, rollout };
}

export function releaseView(stored: StoredRelease): ApiRelease {
  const { digest, app, version, counter, createdAt, keyid } = stored;
  const workloads = storedRelease(stored).workloads.map(({ name, image }) => ({ name, ...image }));
  return { digest, app, version, counter, createdAt, keyid, workloads };
}

/** With its devices where `whole`. */
export async function rolloutView(
  tx: Tx,
  rollout: StoredRollout,
  nowMs: number,
  whole: boolean,
): Promise<ApiRollout> {
  const { id, release, state, code, message, selector, bakeMs, deadlineMs, inFlightMax } = rollout;
  const stored = await findRelease(tx, release);
  return {
    id,
    release,
    app: stored?.app ?? '',
    version: stored?.version ?? '',
    state,
    code,
    message,
    facts: rollout.facts,
    selector,
    bakeMs,
    deadlineMs,
    inFlightMax,
    createdBy: rollout.createdBy,
    createdAt: instantOf(rollout.createdAt),
    updatedAt: instantOf(rollout.updatedAt),
    waves: await waveViews(tx, rollout, nowMs),
    ...(whole ? { devices: await deviceViews(tx, id) } : {}),
  };
}

async function waveViews(tx: Tx, rollout: StoredRollout, nowMs: number): Promise<ApiWave[]> {
  const facts = await factsOf(tx, rollout, nowMs);
  return facts.waves.map((_, wave) => {
    const members = facts.devices.filter((device) => device.wave === wave);
    const count = (outcome: Outcome): number =>
      members.filter((device) => device.outcome === outcome).length;
    return {
      wave,
      state: waveState(facts, wave),
      devices: members.length,
      good: count('good'),
      failed: count('failed'),
      waiting: count('waiting'),
      excluded: count('excluded'),
    };
  });
}

async function deviceViews(tx: Tx, id: string): Promise<ApiRolloutDevice[]> {
  const devices = await rolloutDevices(tx, id);
  return devices.map(({ device, wave, outcome, phase, code, message, assignedAtMs }) => ({
    device,
    wave,
    outcome: outcome === 'waiting' && assignedAtMs === null ? 'pending' : outcome,
    phase,
    code,
    message,
  }));
}

function platformText(platform: NonNullable<Device['platform']>): string {
  const { os, architecture, variant } = platform;
  return [os, architecture, ...(variant === undefined ? [] : [variant])].join('/');
}

function instantOrNull(ms: number | null): string | null {
  return ms === null ? null : instantOf(ms);
}
