// SPDX-License-Identifier: Apache-2.0
// The beginning of an NBD connection, fixed newstyle, with the one export that there is. Bounds what a client may
// send; the requests that follow are flash-disk.ts's.

import type { Socket } from 'node:net';
import type { SocketReader } from './socket-reader.js';

const optionBytesMax = 4096;
const optionCountMax = 16;
/** Has flags; takes flush, FUA and write-zeroes. */
const exportFlags = 1 | 4 | 8 | 64;
const option = { exportName: 1, abort: 2, info: 6, go: 7 } as const;
const reply = { ack: 1, information: 3, unsupported: 0x80000001 } as const;

/** True where the export of `size` bytes was opened. */
export async function shakeHands(
  socket: Socket,
  reader: SocketReader,
  size: number,
): Promise<boolean> {
  socket.write(Buffer.concat([Buffer.from('NBDMAGICIHAVEOPT'), Buffer.from([0, 3])]));
  await reader.take(4);
  for (let count = 0; count < optionCountMax; count += 1) {
    const head = await reader.take(16);
    const length = head.readUInt32BE(12);
    if (length > optionBytesMax) return false;
    await reader.take(length);
    const kind = head.readUInt32BE(8);
    socket.write(answerTo(kind, size));
    if (kind === option.exportName || kind === option.go) return true;
    if (kind === option.abort) return false;
  }
  return false;
}

function answerTo(kind: number, size: number): Buffer {
  switch (kind) {
    case option.exportName:
      return exportWords(size, 0);
    case option.abort:
      return optionReply(kind, reply.ack);
    case option.info:
    case option.go:
      return Buffer.concat([
        optionReply(kind, reply.information, exportWords(size, 2)),
        optionReply(kind, reply.ack),
      ]);
    default:
      return optionReply(kind, reply.unsupported);
  }
}

/** Size and flags, behind `lead` zero bytes (the kind of information: export). */
function exportWords(size: number, lead: number): Buffer {
  const words = Buffer.alloc(lead + 10);
  words.writeBigUInt64BE(BigInt(size), lead);
  words.writeUInt16BE(exportFlags, lead + 8);
  return words;
}

function optionReply(kind: number, answer: number, data: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(20);
  head.writeBigUInt64BE(0x3e889045565a9n, 0);
  head.writeUInt32BE(kind, 8);
  head.writeUInt32BE(answer, 12);
  head.writeUInt32BE(data.length, 16);
  return Buffer.concat([head, data]);
}
