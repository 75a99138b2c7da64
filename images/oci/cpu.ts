// SPDX-License-Identifier: Apache-2.0
// The platform of this machine with the level of its CPU, where images may be built for more than the least one:
// the x86-64 psABI's levels by what Linux says of the CPU. What cannot be told is the least level.

import { readFileSync } from 'node:fs';
import { hostPlatform, type Platform } from './platform.js';

/** x86-64 psABI §3.1.1, in the words of /proc/cpuinfo (abm is LZCNT, pni is SSE3). */
const levels: ReadonlyArray<readonly [string, readonly string[]]> = [
  ['v2', ['cx16', 'lahf_lm', 'popcnt', 'pni', 'ssse3', 'sse4_1', 'sse4_2']],
  ['v3', ['avx', 'avx2', 'bmi1', 'bmi2', 'f16c', 'fma', 'abm', 'movbe', 'xsave']],
  ['v4', ['avx512f', 'avx512bw', 'avx512cd', 'avx512dq', 'avx512vl']],
];
const cpuinfoBytesMax = 64 * 1024;

/** What a pull looks for; what is built here is for hostPlatform(), so that it runs elsewhere too. */
export function cpuPlatform(): Platform {
  const host = hostPlatform();
  if (host.architecture !== 'amd64') return host;
  const variant = levelOf(readCpuinfo());
  return variant === undefined ? host : { ...host, variant };
}

/** Undefined for the least level. */
export function levelOf(cpuinfo: string): string | undefined {
  const flags = new Set(/^flags\s*:\s*(.*)$/m.exec(cpuinfo)?.[1]?.split(' '));
  let found: string | undefined;
  for (const [level, needed] of levels) {
    if (!needed.every((flag) => flags.has(flag))) break;
    found = level;
  }
  return found;
}

function readCpuinfo(): string {
  try {
    return readFileSync('/proc/cpuinfo', 'latin1').slice(0, cpuinfoBytesMax);
  } catch {
    return ''; // not Linux, or no /proc
  }
}
