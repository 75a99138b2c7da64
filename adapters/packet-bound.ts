// SPDX-License-Identifier: Apache-2.0
// Follows the MQTT framing of a byte stream and says when a packet claims to be longer than we take. The
// MQTT libraries gather a packet of up to 256 MiB before they look at it; this one looks at the length
// first. It copies nothing and changes nothing.

/** The longest payload of 256 KiB with its topic and head. */
export const packetBytesMax = 256 * 1024 + 4096;

/** Feed it every chunk, in order; false = the stream must be ended. */
export function packetBound(bytesMax: number = packetBytesMax): (chunk: Buffer) => boolean {
  let rest = 0; // bytes of the packet's body that are still to come
  let lengthBytes = -1; // -1: the next byte is the packet's type; else how many length bytes were read
  let length = 0;
  const step = (byte: number): boolean => {
    if (lengthBytes < 0) {
      lengthBytes = 0;
      length = 0;
      return true;
    }
    length += (byte & 0x7f) * 128 ** lengthBytes; // [MQTT-1.5.5]: 7 bits a byte, least significant first
    lengthBytes += 1;
    if (length > bytesMax || (lengthBytes === 4 && byte >= 0x80)) return false;
    if (byte < 0x80) {
      rest = length;
      lengthBytes = -1;
    }
    return true;
  };
  return (chunk) => {
    let at = 0;
    while (at < chunk.length) {
      const skipped = Math.min(rest, chunk.length - at);
      rest -= skipped;
      at += skipped;
      if (at < chunk.length && !step(chunk[at++] ?? 0)) return false;
    }
    return true;
  };
}
