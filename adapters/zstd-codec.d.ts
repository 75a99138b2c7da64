// SPDX-License-Identifier: Apache-2.0
// The part of zstd-codec 0.1.5 that we use; the package ships no types.

declare module 'zstd-codec' {
  interface Simple {
    /** Null where the input cannot be compressed. */
    compress(bytes: Uint8Array, level: number): Uint8Array | null;
    /** Null for bad input or where the frame states no length. */
    decompress(bytes: Uint8Array): Uint8Array | null;
  }
  export const ZstdCodec: {
    run(ready: (zstd: { Simple: new () => Simple }) => void): void;
  };
}
