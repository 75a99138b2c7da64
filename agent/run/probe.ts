// SPDX-License-Identifier: Apache-2.0
// What of an image's settings the keeper acts on: the stop signal and the health probe, after the workload's
// own word. Pure. Docker's defaults stand in for what neither says.

import { constants } from 'node:os';
import type { ImageConfig } from '../../images/oci/config.js';
import type { Healthcheck, Workload } from '../../protocol/release.js';

/** A health check with nothing left open. */
export type Probe = Required<Healthcheck>;

const dayMs = 86_400_000;
const defaults = { intervalMs: 30_000, timeoutMs: 30_000, retryCountMax: 3, startIntervalMs: 5000 };

/** Field by field the workload's, else the image's. Null = no probe: an empty test takes the image's away. */
export function healthOf(
  workload: Pick<Workload, 'healthcheck'>,
  config: Pick<ImageConfig, 'healthcheck'>,
): Probe | null {
  const own = workload.healthcheck ?? {};
  const image = config.healthcheck;
  const test = own.test ?? argvOf(image?.test ?? []);
  if (test.length === 0 || test[0] === 'NONE') return null;
  const intervalMs = own.intervalMs ?? ms(image?.intervalMs, defaults.intervalMs);
  return {
    test,
    intervalMs,
    timeoutMs: own.timeoutMs ?? ms(image?.timeoutMs, defaults.timeoutMs),
    retryCountMax: own.retryCountMax ?? retriesOf(image?.retries),
    startPeriodMs: own.startPeriodMs ?? Math.min(dayMs, image?.startPeriodMs ?? 0),
    // Where it is not given: at least as often as later on.
    startIntervalMs: own.startIntervalMs ?? Math.min(defaults.startIntervalMs, intervalMs),
  };
}

function retriesOf(image: number | undefined): number {
  return Math.min(1000, image || defaults.retryCountMax);
}

function argvOf(test: readonly string[]): string[] {
  const [kind, ...rest] = test;
  if (kind === 'CMD') return rest;
  if (kind === 'CMD-SHELL') return ['/bin/sh', '-c', rest.join(' ')];
  return [];
}

/** Zero and absent mean the default, as Docker reads it. */
function ms(value: number | undefined, standard: number): number {
  return value === undefined || value <= 0 ? standard : Math.min(dayMs, Math.max(100, value));
}

/** An image's StopSignal (`SIGQUIT`, `QUIT`, `3`, `RTMIN+3`) as SIG…; SIGTERM if it is none. */
export function stopSignalOf(wanted: string | undefined): string {
  const word = (wanted ?? '').trim().toUpperCase();
  if (/^\d{1,2}$/.test(word)) {
    const found = Object.entries(constants.signals).find(([, number]) => number === Number(word));
    return found?.[0] ?? 'SIGTERM';
  }
  const name = word.startsWith('SIG') ? word : `SIG${word}`;
  const known =
    Object.hasOwn(constants.signals, name) || /^SIGRTM(IN|AX)([+-]\d{1,2})?$/.test(name);
  return known ? name : 'SIGTERM';
}
