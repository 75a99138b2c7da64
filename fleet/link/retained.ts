// SPDX-License-Identifier: Apache-2.0
// How much the broker's retained messages may hold. They lie in memory, so their count and bytes have a
// bound; a message beyond it is refused, the ones that are there stay.

export interface RetainedAccount {
  /** Books a retained message of `bytes` under the topic, in place of the one before; false = no room. */
  book(topic: string, bytes: number): boolean;
  readonly count: number;
  readonly bytes: number;
}

export function retainedAccount(bounds: { countMax: number; bytesMax: number }): RetainedAccount {
  const sizes = new Map<string, number>();
  let total = 0;
  return {
    book: (topic, bytes) => {
      const before = sizes.get(topic) ?? 0;
      // [MQTT-3.3.1-10]: an empty payload removes what is retained.
      const after = bytes === 0 ? 0 : bytes + topic.length;
      if (after > before && total - before + after > bounds.bytesMax) return false;
      if (before === 0 && sizes.size >= bounds.countMax) return false;
      total += after - before;
      sizes.delete(topic);
      if (after > 0) sizes.set(topic, after);
      return true;
    },
    get count() {
      return sizes.size;
    },
    get bytes() {
      return total;
    },
  };
}
