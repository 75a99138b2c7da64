// SPDX-License-Identifier: Apache-2.0
// The part of ws 8 that we use; the package ships no types.

declare module 'ws' {
  import type { EventEmitter } from 'node:events';
  import type { IncomingMessage } from 'node:http';
  import type { Duplex } from 'node:stream';

  interface Bounds {
    readonly maxPayload: number;
    readonly perMessageDeflate: false;
    readonly skipUTF8Validation: true;
  }
  export class WebSocket extends EventEmitter {
    constructor(
      url: string,
      protocols: readonly string[],
      options: Bounds & { readonly handshakeTimeout: number; createConnection(): Duplex },
    );
    terminate(): void;
  }
  export class WebSocketServer {
    constructor(
      options: Bounds & {
        readonly noServer: true;
        readonly clientTracking: false;
        handleProtocols(offered: Set<string>): string | false;
      },
    );
    handleUpgrade(
      request: IncomingMessage,
      socket: Duplex,
      head: Buffer,
      done: (socket: WebSocket) => void,
    ): void;
  }
  export function createWebSocketStream(socket: WebSocket): Duplex;
}
