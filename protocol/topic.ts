// SPDX-License-Identifier: Apache-2.0
// The MQTT topics, built and read in one place. A device's level is its whole name, `{tenant}--{device}`, as in
// its certificate, so that any broker's rule with the user's name in it keeps devices apart. Devices never
// write under d/, rel/ or floor; signatures make that not the only line.

import { commonName, idPattern, parseCommonName } from './name.js';

export const slotCount = 64;

export type UpKind = 'hello' | 'reported' | 'event' | 'res' | 'presence';

export type Topic =
  | { kind: 'desired'; tenant: string; device: string }
  | { kind: 'sealed'; tenant: string; device: string }
  | { kind: 'cmd'; tenant: string; device: string; requestId: string }
  | { kind: 'rel'; tenant: string; hex: string }
  | { kind: 'floor'; tenant: string }
  | { kind: 'up'; tenant: string; slot: number; device: string; up: UpKind; requestId?: string };

export const desiredTopic = (tenant: string, device: string): string =>
  `w1/${tenant}/d/${commonName(tenant, device)}/desired`;
/** Secrets, sealed to the device's own key. */
export const sealedTopic = (tenant: string, device: string): string =>
  `w1/${tenant}/d/${commonName(tenant, device)}/sealed`;
export const cmdTopic = (tenant: string, device: string, requestId: string): string =>
  `w1/${tenant}/d/${commonName(tenant, device)}/cmd/${requestId}`;
/** `hex` is the release's SHA-256 in 64 hex digits. */
export const releaseTopic = (tenant: string, hex: string): string => `w1/${tenant}/rel/${hex}`;
export const floorTopic = (tenant: string): string => `w1/${tenant}/floor`;
/** What all devices of the tenant say. */
export const uplinkFilter = (tenant: string): string => `w1/${tenant}/u/+/+/#`;
/** Where the fleet tries out what a broker can do; no device reads or writes it. */
export const probeTopic = (tenant: string, word: string): string => `w1/${tenant}/probe/${word}`;
export const upTopic = (tenant: string, device: string, up: UpKind, requestId?: string): string => {
  const end = requestId === undefined ? up : `${up}/${requestId}`;
  return `w1/${tenant}/u/${slotOf(device)}/${commonName(tenant, device)}/${end}`;
};

/** crc32 (IEEE 802.3) of the device id, mod 64: which controller replica reads this device's uplink. */
export function slotOf(device: string): number {
  let crc = 0xffffffff;
  for (let i = 0; i < device.length; i += 1) {
    crc ^= device.charCodeAt(i);
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ((crc ^ 0xffffffff) >>> 0) % slotCount;
}

const requestPattern = /^[A-Za-z0-9_-]{1,64}$/;
const upKinds: readonly UpKind[] = ['hello', 'reported', 'event', 'res', 'presence'];

/** Undefined for every topic that is not one of ours, a wrong slot included. */
export function parseTopic(topic: string): Topic | undefined {
  const [version, tenant, room, ...rest] = topic.split('/');
  if (version !== 'w1' || tenant === undefined || !idPattern.test(tenant)) return undefined;
  if (room === 'd') return parseDown(tenant, rest);
  if (room === 'u') return parseUp(tenant, rest);
  if (room === 'rel' && rest.length === 1 && /^[0-9a-f]{64}$/.test(rest[0] ?? '')) {
    return { kind: 'rel', tenant, hex: rest[0] ?? '' };
  }
  return room === 'floor' && rest.length === 0 ? { kind: 'floor', tenant } : undefined;
}

function parseDown(tenant: string, rest: readonly string[]): Topic | undefined {
  const [name, word, requestId] = rest;
  const device = deviceOf(tenant, name);
  if (device === undefined) return undefined;
  if ((word === 'desired' || word === 'sealed') && rest.length === 2) {
    return { kind: word, tenant, device };
  }
  if (word !== 'cmd' || rest.length !== 3 || !requestPattern.test(requestId ?? ''))
    return undefined;
  return { kind: 'cmd', tenant, device, requestId: requestId ?? '' };
}

function parseUp(tenant: string, rest: readonly string[]): Topic | undefined {
  const [slot, name, word, requestId] = rest;
  const up = upKinds.find((kind) => kind === word);
  const device = deviceOf(tenant, name);
  if (device === undefined || up === undefined) return undefined;
  if (slot !== String(slotOf(device))) return undefined;
  const base = { kind: 'up', tenant, slot: slotOf(device), device, up } as const;
  if (up !== 'res') return rest.length === 3 ? base : undefined;
  if (rest.length !== 4 || !requestPattern.test(requestId ?? '')) return undefined;
  return { ...base, requestId: requestId ?? '' };
}

function deviceOf(tenant: string, name: string | undefined): string | undefined {
  const parts = parseCommonName(name ?? '');
  return parts?.tenant === tenant ? parts.device : undefined;
}
