// SPDX-License-Identifier: Apache-2.0
// The units of Compose: durations (1m30s), byte sizes (64m) and CPUs (0.5). Each gives undefined for what
// is not of its form; the caller names the place.

const unitMs: Readonly<Record<string, number>> = {
  us: 0.001,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** `1h5m30s20ms`, in ms; whole milliseconds, rounded up. */
export function durationMs(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(us|ms|s|m|h|d))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, count, unit] of text.matchAll(/(\d+(?:\.\d+)?)(us|ms|s|m|h|d)/g)) {
    total += Number(count) * (unitMs[unit ?? ''] ?? 0);
  }
  return Math.ceil(total);
}

const unitBytes: Readonly<Record<string, number>> = {
  b: 1,
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
  t: 1024 ** 4,
};

/** `64m`, `64MB`, `1.5g`, `1048576`; powers of 1024, as Docker has it. */
export function sizeBytes(text: string): number | undefined {
  const parts = /^(\d+(?:\.\d+)?)\s?([bkmgt])?(?:i?b)?$/i.exec(text);
  if (parts === null) return undefined;
  const bytes = Number(parts[1]) * (unitBytes[(parts[2] ?? 'b').toLowerCase()] ?? 1);
  return Number.isSafeInteger(Math.floor(bytes)) ? Math.floor(bytes) : undefined;
}

/** `0.5` → 500. */
export function cpuMillis(text: string): number | undefined {
  if (!/^\d+(\.\d+)?$/.test(text)) return undefined;
  const millis = Math.round(Number(text) * 1000);
  return millis >= 1 ? millis : undefined;
}
