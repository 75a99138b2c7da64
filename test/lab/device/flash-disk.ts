// SPDX-License-Identifier: Apache-2.0
// A flash disk with a volatile write cache, served to QEMU over NBD on a unix socket. What the device has not
// flushed is in memory only; when QEMU is killed each 512-byte sector of it is kept or lost by a seeded chance: lost,
// reordered and torn writes, as on SD and eMMC. It counts bytes and flushes: the wear of a workload.

import { closeSync, fstatSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { shakeHands } from './nbd-handshake.js';
import { SocketReader } from './socket-reader.js';

export interface FlashOptions {
  /** The image behind it: `makeDisk`. */
  readonly image: string;
  readonly socket: string;
  readonly seed?: number;
  /** Chance that an unflushed sector survives a power cut; default 0.5. */
  readonly keep?: number;
  /** Delays that make it as slow as flash. */
  readonly writeMs?: number;
  readonly flushMs?: number;
  /** After that many bytes written every write is EIO: worn-out flash. */
  readonly writtenBytesMax?: number;
}

export interface FlashStats {
  writeCount: number;
  writtenBytes: number;
  flushCount: number;
  readBytes: number;
  cutCount: number;
  lostSectorCount: number;
  keptSectorCount: number;
}

export interface FlashDisk {
  readonly stats: Readonly<FlashStats>;
  close(): Promise<void>;
}

const sector = 512;
/** The kernel's requests are far smaller; a client that asks for more is cut off. */
const requestBytesMax = 32 * 1024 * 1024;
const command = { read: 0, write: 1, disconnect: 2, flush: 3, writeZeroes: 6 } as const;
const errno = { io: 5, invalid: 22 } as const;

export async function openFlashDisk(options: FlashOptions): Promise<FlashDisk> {
  const disk = new CachedDisk(options);
  rmSync(options.socket, { force: true });
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => undefined);
    serve(socket, disk, options)
      .then(
        (isClean) => (isClean ? disk.flush() : disk.cut()),
        () => disk.cut(),
      )
      .finally(() => socket.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.socket, resolve);
  });
  return {
    stats: disk.stats,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      disk.close();
    },
  };
}

/** The image with unflushed sectors in front of it. */
class CachedDisk {
  readonly size: number;
  readonly stats: FlashStats = {
    writeCount: 0,
    writtenBytes: 0,
    flushCount: 0,
    readBytes: 0,
    cutCount: 0,
    lostSectorCount: 0,
    keptSectorCount: 0,
  };
  readonly #fd: number;
  readonly #cache = new Map<number, Buffer>();
  readonly #chance: () => number;
  readonly #keep: number;

  constructor({ image, seed = 1, keep = 0.5 }: FlashOptions) {
    this.#fd = openSync(image, 'r+');
    this.size = fstatSync(this.#fd).size;
    this.#chance = chanceOf(seed);
    this.#keep = keep;
  }

  read(at: number, length: number): Buffer {
    const bytes = Buffer.alloc(length);
    readSync(this.#fd, bytes, 0, length, at);
    for (let offset = 0; offset < length; offset += sector) {
      this.#cache.get((at + offset) / sector)?.copy(bytes, offset);
    }
    this.stats.readBytes += length;
    return bytes;
  }

  write(at: number, bytes: Buffer): void {
    for (let offset = 0; offset < bytes.length; offset += sector) {
      this.#cache.set((at + offset) / sector, bytes.subarray(offset, offset + sector));
    }
    this.stats.writeCount += 1;
    this.stats.writtenBytes += bytes.length;
  }

  /** Only these sectors: a write with FUA is durable when it is answered. */
  flushRange(at: number, length: number): void {
    for (let number = at / sector; number < (at + length) / sector; number += 1) {
      this.#store(number);
    }
  }

  flush(): void {
    for (const number of [...this.#cache.keys()].sort((a, b) => a - b)) this.#store(number);
  }

  cut(): void {
    this.stats.cutCount += 1;
    for (const number of [...this.#cache.keys()].sort((a, b) => a - b)) {
      if (this.#chance() < this.#keep) {
        this.#store(number);
        this.stats.keptSectorCount += 1;
      } else {
        this.stats.lostSectorCount += 1;
      }
    }
    this.#cache.clear();
  }

  close(): void {
    closeSync(this.#fd);
  }

  #store(number: number): void {
    const bytes = this.#cache.get(number);
    if (bytes === undefined) return;
    writeSync(this.#fd, bytes, 0, sector, number * sector);
    this.#cache.delete(number);
  }
}

/** mulberry32: small, seeded, good enough to lose sectors by. */
function chanceOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** True after a clean disconnect. */
async function serve(socket: Socket, disk: CachedDisk, options: FlashOptions): Promise<boolean> {
  const reader = new SocketReader(socket);
  if (!(await shakeHands(socket, reader, disk.size))) return true;
  for (;;) {
    const head = await reader.take(28);
    const request = {
      isFua: (head.readUInt16BE(4) & 1) !== 0,
      kind: head.readUInt16BE(6),
      handle: head.subarray(8, 16),
      at: Number(head.readBigUInt64BE(16)),
      length: head.readUInt32BE(24),
    };
    if (request.kind === command.disconnect) return true;
    if (request.length > requestBytesMax) return false;
    const bytes = request.kind === command.write ? await reader.take(request.length) : undefined;
    const { error, data } = await answer(disk, options, request, bytes);
    const reply = Buffer.alloc(16);
    reply.writeUInt32BE(0x67446698, 0);
    reply.writeUInt32BE(error, 4);
    request.handle.copy(reply, 8);
    socket.write(data === undefined ? reply : Buffer.concat([reply, data]));
  }
}

interface Request {
  readonly isFua: boolean;
  readonly kind: number;
  readonly at: number;
  readonly length: number;
}

async function answer(
  disk: CachedDisk,
  options: FlashOptions,
  request: Request,
  bytes: Buffer | undefined,
): Promise<{ error: number; data?: Buffer }> {
  const { kind, at, length, isFua } = request;
  const isAligned = at % sector === 0 && length % sector === 0 && at + length <= disk.size;
  if (!isAligned) return { error: errno.invalid };
  if (kind === command.read) return { error: 0, data: disk.read(at, length) };
  if (kind === command.flush) {
    await sleep(options.flushMs ?? 0);
    disk.stats.flushCount += 1;
    disk.flush();
    return { error: 0 };
  }
  if (kind !== command.write && kind !== command.writeZeroes) return { error: errno.invalid };
  if (disk.stats.writtenBytes >= (options.writtenBytesMax ?? Number.POSITIVE_INFINITY)) {
    return { error: errno.io };
  }
  if (options.writeMs !== undefined) await sleep(options.writeMs);
  disk.write(at, bytes ?? Buffer.alloc(length));
  if (isFua) disk.flushRange(at, length);
  return { error: 0 };
}
