// SPDX-License-Identifier: Apache-2.0
// Devices as the fleet knows them: who is enrolled, what each last said. Every function takes the
// transaction that it belongs to.

import type { Row, Tx } from '../../adapters/sqlite.js';
import type { Labels } from '../../protocol/api.js';
import type { Hello, Reported } from '../../protocol/device.js';
import { CodedError } from '../../protocol/error.js';
import type { Digest } from '../../protocol/name.js';

export interface Device {
  readonly device: string;
  readonly labels: Labels;
  readonly serial: string | null;
  readonly enrolledAt: number;
  readonly revokedAt: number | null;
  readonly seenAt: number | null;
  /** It said that it is connected, and nobody has said otherwise since. */
  readonly online: boolean;
  readonly agent: string | null;
  readonly platform: Hello['platform'] | null;
  readonly memoryBytes: number | null;
  /** What it last said that it accepted. */
  readonly epoch: number;
  readonly generation: number;
  readonly release: Digest | null;
}

export interface NewDevice {
  /** SHA-256 of its public key, hex: who it is, whatever it is called. */
  readonly keyHash: string;
  /** What it would like to be called. */
  readonly name: string | undefined;
  readonly serial: string | undefined;
  /** What secrets for it are sealed to; an agent of before has none. */
  readonly sealKey?: string | undefined;
  readonly labels: Labels;
}

/**
 * Its id. The same key is the same device, with the labels of its newest claim; another key never gets a
 * name that is taken. @throws DEVICE_REVOKED
 */
export async function enrolDevice(tx: Tx, asked: NewDevice, nowMs: number): Promise<string> {
  const labels = JSON.stringify(asked.labels);
  const known = await tx.get<{ device: string; revokedAt: number | null }>(
    'SELECT device, revokedAt FROM devices WHERE ?1 IN (keyHash, askedKey, freshKey)',
    [asked.keyHash],
  );
  if (known !== undefined && known.revokedAt !== null) {
    const { device } = known;
    throw new CodedError('DEVICE_REVOKED', `the key of ${device} is revoked`, { device });
  }
  if (known !== undefined) {
    await tx.run(
      `UPDATE devices SET labels = ?, sealKey = COALESCE(?, sealKey), askedKey = ?, freshKey = NULL
         WHERE device = ?`,
      [labels, asked.sealKey ?? null, asked.keyHash, known.device],
    );
    return known.device;
  }
  const device = await freeName(tx, asked);
  await tx.run(
    `INSERT INTO devices (device, keyHash, labels, serial, sealKey, enrolledAt)
     VALUES (?, ?, ?, ?, ?, ?)`,
    [device, asked.keyHash, labels, asked.serial ?? null, asked.sealKey ?? null, nowMs],
  );
  return device;
}

/** The name asked for, or with digits of the key behind it. */
async function freeName(tx: Tx, asked: NewDevice): Promise<string> {
  const { name, keyHash } = asked;
  if (name !== undefined && (await findDevice(tx, name)) === undefined) return name;
  return `${(name ?? 'device').slice(0, 46)}-${keyHash.slice(0, 16)}`;
}

export async function findDevice(tx: Tx, device: string): Promise<Device | undefined> {
  const row = await tx.get('SELECT * FROM devices WHERE device = ?', [device]);
  return row === undefined ? undefined : deviceOf(row);
}

/** @throws DEVICE_UNKNOWN */
export async function needDevice(tx: Tx, device: string): Promise<Device> {
  const found = await findDevice(tx, device);
  if (found !== undefined) return found;
  throw new CodedError('DEVICE_UNKNOWN', `there is no device ${device}`, { device });
}

/** By name, those behind `after`. */
export async function listDevices(
  tx: Tx,
  page: { after: string; limit: number } = { after: '', limit: -1 },
): Promise<Device[]> {
  const rows = await tx.all('SELECT * FROM devices WHERE device > ? ORDER BY device LIMIT ?', [
    page.after,
    page.limit,
  ]);
  return rows.map(deviceOf);
}

/** Those in service that have all the labels. */
export async function selectDevices(tx: Tx, selector: Labels): Promise<Device[]> {
  const devices = await listDevices(tx);
  return devices.filter(({ revokedAt, labels }) => revokedAt === null && matches(labels, selector));
}

export function matches(labels: Labels, selector: Labels): boolean {
  return Object.entries(selector).every(
    ([key, value]) => Object.hasOwn(labels, key) && labels[key] === value,
  );
}

export async function setLabels(tx: Tx, device: string, labels: Labels): Promise<void> {
  await tx.run('UPDATE devices SET labels = ? WHERE device = ?', [JSON.stringify(labels), device]);
}

/** The first time counts. */
export async function revokeDevice(tx: Tx, device: string, nowMs: number): Promise<void> {
  await tx.run(
    'UPDATE devices SET revokedAt = COALESCE(revokedAt, ?), online = 0 WHERE device = ?',
    [nowMs, device],
  );
}

/** What is said in hello; the caller has checked that it is newer. Who says it is online: not every broker keeps presence. */
export async function saveHello(
  tx: Tx,
  device: string,
  hello: Hello,
  nowMs: number,
): Promise<void> {
  await tx.run(
    `UPDATE devices SET online = 1, seenAt = ?, agent = ?, platform = ?, memoryBytes = ?, epoch = ?,
       generation = ?, release = ? WHERE device = ?`,
    [
      nowMs,
      hello.agent,
      JSON.stringify(hello.platform),
      hello.memoryBytes,
      hello.epoch,
      hello.generation,
      hello.release,
      device,
    ],
  );
}

export async function savePresence(
  tx: Tx,
  device: string,
  online: boolean,
  nowMs: number,
): Promise<void> {
  await tx.run('UPDATE devices SET online = ?, seenAt = ? WHERE device = ?', [
    online ? 1 : 0,
    nowMs,
    device,
  ]);
}

/** Nothing is known of anybody's connection while we have none ourselves. */
export async function forgetPresence(tx: Tx): Promise<void> {
  await tx.run('UPDATE devices SET online = 0 WHERE online = 1');
}

export async function saveReported(
  tx: Tx,
  device: string,
  reported: Reported,
  nowMs: number,
): Promise<void> {
  await tx.run(
    `INSERT INTO reported (device, document, receivedAt) VALUES (?, ?, ?)
     ON CONFLICT (device) DO UPDATE SET document = excluded.document, receivedAt = excluded.receivedAt`,
    [device, JSON.stringify(reported), nowMs],
  );
  await tx.run('UPDATE devices SET seenAt = ? WHERE device = ?', [nowMs, device]);
}

export async function reportedOf(tx: Tx, device: string): Promise<Reported | null> {
  const row = await tx.get<{ document: string }>('SELECT document FROM reported WHERE device = ?', [
    device,
  ]);
  return row === undefined ? null : (JSON.parse(row.document) as Reported);
}

function deviceOf(row: Row): Device {
  const platform = row['platform'];
  return {
    ...(row as unknown as Device),
    labels: JSON.parse(String(row['labels'])) as Labels,
    online: row['online'] === 1,
    platform: platform === null ? null : (JSON.parse(String(platform)) as Hello['platform']),
  };
}

/** After a renewal: the key that it asked with and the one that it got. */
export async function saveRenewal(
  tx: Tx,
  device: string,
  keys: { asked: string; fresh: string },
): Promise<void> {
  await tx.run('UPDATE devices SET askedKey = ?, freshKey = ? WHERE device = ?', [
    keys.asked,
    keys.fresh,
    device,
  ]);
}

/** The devices in service, each with the hashes of its keys: one, or two after a renewal. */
export async function admittedDevices(
  tx: Tx,
): Promise<Array<{ device: string; keyHashes: string[] }>> {
  const rows = await tx.all<{ device: string; asked: string; fresh: string | null }>(
    `SELECT device, COALESCE(askedKey, keyHash) AS asked, freshKey AS fresh
       FROM devices WHERE revokedAt IS NULL`,
  );
  return rows.map(({ device, asked, fresh }) => ({
    device,
    keyHashes: fresh === null ? [asked] : [asked, fresh],
  }));
}
