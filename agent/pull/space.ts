// SPDX-License-Identifier: Apache-2.0
// Disk space for a pull: asked for before anything is fetched, granted to each layer as the bound of what it
// unpacks to, and watched meanwhile (others write too, and a small file takes more than its bytes), so that
// neither a large image nor one made to swell takes the room that logs and the database need.
// INVARIANT: what is granted to layers under way is never more than what is free beyond the reserve.

import type { Clock } from '../../adapters/clock.js';
import { CodedError } from '../../protocol/error.js';
import type { WantedLayer } from './resolve.js';

/** Left free for logs and the database. */
const reserveBytes = 8 * 1024 * 1024;
/** Typical of a compressed layer; a guess that only decides whether it is worth to begin. */
const growth = { none: 1, gzip: 2, zstd: 2 } as const;
const watchMs = 500;

type FreeBytes = () => Promise<number>;

/** @throws NO_SPACE */
export async function checkSpace(
  freeBytes: FreeBytes,
  lacking: readonly WantedLayer[],
): Promise<void> {
  if (lacking.length === 0) return;
  const sizes = lacking.map(({ size, compression }) => size * growth[compression]);
  const needed = sizes.reduce((sum, size) => sum + size, reserveBytes);
  const free = await freeBytes();
  if (free < needed) throw noSpace(`needs about ${needed} bytes`, free);
}

export interface Room {
  /** Bytes that one more layer may unpack to, 0 if there is none; `waiting` others want their share of it. */
  grant(waiting: number): Promise<number>;
  /** After each grant, once the layer is done with. */
  giveBack(bytes: number): void;
}

/** Room for at most `atOnce` layers under way. */
export function roomOf(freeBytes: FreeBytes, atOnce: number): Room {
  let granted = 0;
  let underWay = 0;
  return {
    grant: async (waiting) => {
      const left = (await freeBytes()) - reserveBytes - granted;
      const sharers = Math.max(1, Math.min(atOnce - underWay, waiting + 1));
      const bytes = Math.min(Number.MAX_SAFE_INTEGER, Math.max(0, Math.floor(left / sharers)));
      granted += bytes;
      underWay += 1;
      return bytes;
    },
    giveBack: (bytes) => {
      granted -= bytes;
      underWay -= 1;
    },
  };
}

/** Calls `stop` with NO_SPACE once less than the reserve is free; ends with `signal`. */
export async function watchSpace(
  freeBytes: FreeBytes,
  clock: Clock,
  stop: (reason: CodedError) => void,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(watchMs, signal).catch(() => undefined); // the signal is looked at below
    const free = signal.aborted ? reserveBytes : await freeBytes();
    if (free < reserveBytes) {
      stop(noSpace('grew while it was unpacked', free));
      return;
    }
  }
}

export function noSpace(what: string, freeBytes: number): CodedError {
  const message = `the image ${what}; ${freeBytes} bytes of the state's file system are free`;
  return new CodedError('NO_SPACE', message, { freeBytes, reserveBytes });
}
