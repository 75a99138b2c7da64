// SPDX-License-Identifier: Apache-2.0
// Takes exact counts of bytes from a socket, one after the other. Holds what came and was not asked for yet; the
// socket is read no faster than that is taken. Rejects when the other end has gone.

import type { Socket } from 'node:net';

const heldBytesMax = 1024 * 1024;

export class SocketReader {
  readonly #socket: Socket;
  #chunks: Buffer[] = [];
  #held = 0;
  #wake: (() => void) | undefined;
  #isGone = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#held += chunk.length;
      if (this.#held > heldBytesMax) socket.pause();
      this.#wake?.();
    });
    socket.on('close', () => {
      this.#isGone = true;
      this.#wake?.();
    });
  }

  async take(length: number): Promise<Buffer> {
    while (this.#held < length) {
      if (this.#isGone) throw new Error('the other end has gone');
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        this.#socket.resume();
      });
      this.#wake = undefined;
    }
    const all = this.#chunks.length === 1 ? this.#chunks[0] : Buffer.concat(this.#chunks);
    const rest = (all ?? Buffer.alloc(0)).subarray(length);
    this.#chunks = rest.length === 0 ? [] : [rest];
    this.#held = rest.length;
    return (all ?? Buffer.alloc(0)).subarray(0, length);
  }
}
