// SPDX-License-Identifier: Apache-2.0
// The memory that a layer may ask for: zstd holds a window of the size that the layer's frame names.

/** What zstd itself makes up to level 19, and `wherry-image`, at every level. */
const logMin = 23;
/** What wherry-layer takes at most. */
const logMax = 27;
/** Of the device's memory; two layers are unpacked at once. */
const share = 1 / 8;

/** log2 of the largest window that a device of so many bytes of memory accepts. */
export function windowLogOf(memoryBytes: number): number {
  const log = Math.floor(Math.log2(memoryBytes * share));
  return Math.min(logMax, Math.max(logMin, log));
}
