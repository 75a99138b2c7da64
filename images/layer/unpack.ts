// SPDX-License-Identifier: Apache-2.0
// Unpacks one compressed layer with wherry-layer: the bytes go from the source through a pipe into the child, no more
// than the pipe holds at a time. The child checks them against blob and diffID and writes the tree durably.
// On failure `dir` may hold a part: the caller throws it away.

import type { Readable, Writable } from 'node:stream';
import { type Started, start } from '../../adapters/exec.js';
import { nativeError } from '../../adapters/native.js';
import { nativeProgram } from '../../adapters/places.js';
import type { CodedError } from '../../protocol/error.js';
import type { Digest } from '../../protocol/name.js';
import { collect, readResult } from './result.js';

export interface UnpackOptions {
  /** The layer as the registry gives it: gzip, zstd or plain tar. */
  readonly source: AsyncIterable<Uint8Array> | Readable;
  readonly diffId: Digest;
  /** Digest and size of the compressed bytes. */
  readonly blob: Digest;
  readonly size: number;
  /** Made if absent; must be empty. */
  readonly dir: string;
  /** File to keep the tar headers in, made here. */
  readonly headers?: string;
  /** File for the folders that the layer does not bring itself, made here: see parents.ts. */
  readonly implied?: string;
  /** A layer that unpacks to more bytes of tar is refused. */
  readonly unpackedBytesMax?: number;
  /** A layer whose zstd window is larger than 2 to this is refused: the window is held in memory. */
  readonly windowLogMax?: number;
  /** Called with the count of compressed bytes handed on so far, at most 5 times a second and at the end. */
  readonly onProgress?: (bytes: number) => void;
  readonly signal?: AbortSignal;
}

export interface UnpackedLayer {
  readonly diffId: Digest;
  readonly blob: Digest;
  readonly blobBytes: number;
  readonly tarBytes: number;
  readonly entries: number;
  /** Content of all files, without holes. */
  readonly unpackedBytes: number;
}

const progressMs = 200;
/** A child that was given all its bytes and says nothing for so long is ended: it only has to sync then. */
const endMsMax = 10 * 60_000;

/**
 * Resolves when the tree (and the headers file) are verified and on the disk.
 * @throws LAYER_*, NO_SPACE, NOT_ROOT, BOX_*, NATIVE_MISSING; the source's own error; the signal's reason.
 */
export async function unpackLayer(options: UnpackOptions): Promise<UnpackedLayer> {
  options.signal?.throwIfAborted();
  const child = start(nativeProgram('wherry-layer'), argumentsOf(options));
  const abort = () => child.kill('SIGKILL');
  options.signal?.addEventListener('abort', abort, { once: true });
  const outputs = Promise.all([collect(child.stdout), collect(child.stderr), child.ended]);
  outputs.catch(() => undefined); // awaited below; the feed may fail first
  try {
    const fed = await feed(child, options);
    const [stdout, stderr, code] = await within(outputs, child);
    options.signal?.throwIfAborted();
    if (fed.sourceError !== undefined) throw fed.sourceError;
    if (code !== 0) throw failure(code, stderr, options);
    return readResult<UnpackedLayer>(stdout, ['diffId', 'blob', 'blobBytes', 'unpackedBytes']);
  } finally {
    options.signal?.removeEventListener('abort', abort);
    child.kill('SIGKILL');
  }
}

function argumentsOf(options: UnpackOptions): string[] {
  const { diffId, blob, size, headers, implied, unpackedBytesMax, windowLogMax, dir } = options;
  return [
    'unpack',
    ...['--diff-id', diffId, '--blob', blob, '--size', String(size)],
    ...(headers === undefined ? [] : ['--headers', headers]),
    ...(implied === undefined ? [] : ['--implied', implied]),
    ...(unpackedBytesMax === undefined ? [] : ['--unpacked-max', String(unpackedBytesMax)]),
    ...(windowLogMax === undefined ? [] : ['--window-max', String(windowLogMax)]),
    '--',
    dir,
  ];
}

/**
 * Hands the source's bytes on. A child that ends early is no error of the source: its own word follows on stderr. An
 * error of the source ends the child, whose complaint about the cut is then of no interest.
 */
async function feed(child: Started, options: UnpackOptions): Promise<{ sourceError?: unknown }> {
  const progress = progressOf(options);
  const source = options.source[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  const pipe = new Pipe(child);
  try {
    for (;;) {
      const next = await pipe.whileOpen(source.next());
      if (next === undefined) break;
      if (next.done === true) {
        child.stdin.end();
        progress(true);
        return {};
      }
      progress(false, next.value.length);
      await pipe.write(next.value);
    }
  } catch (sourceError) {
    child.kill('SIGKILL');
    return { sourceError };
  }
  // It may hang in its next(), so nobody waits for it to leave.
  source.return?.().catch(() => undefined);
  return {};
}

/** The child's stdin, with waits that end when the child does. */
class Pipe {
  readonly #stdin: Writable;
  #open = true;
  #wake: () => void = () => undefined;

  constructor(child: Started) {
    this.#stdin = child.stdin;
    const close = () => {
      this.#open = false;
      this.#wake();
    };
    this.#stdin.on('error', close); // EPIPE: it has ended before it had read all
    this.#stdin.on('close', close);
    child.ended.then(close, close);
  }

  /** The promise's value, or undefined where the pipe closes first. */
  async whileOpen<T>(promise: Promise<T>): Promise<T | undefined> {
    if (!this.#open) return undefined;
    const { sent, send } = oneSignal();
    this.#wake = send;
    promise.then(send, send);
    await sent;
    return this.#open ? promise : undefined;
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (!this.#open || this.#stdin.write(bytes)) return;
    await this.whileOpen(new Promise((resolve) => this.#stdin.once('drain', resolve)));
  }
}

/** Apart from its user, so that `send` holds no chunk: V8 then keeps 64 MB of them that nobody wants any more. */
function oneSignal(): { sent: Promise<void>; send: () => void } {
  let send = (): void => undefined;
  const sent = new Promise<void>((resolve) => {
    send = () => resolve();
  });
  return { sent, send: () => send() };
}

function progressOf({ onProgress }: UnpackOptions): (last: boolean, more?: number) => void {
  let bytes = 0;
  let toldAt = 0;
  return (last, more = 0) => {
    bytes += more;
    if (onProgress === undefined || (!last && performance.now() - toldAt < progressMs)) return;
    toldAt = performance.now();
    onProgress(bytes);
  };
}

async function within<T>(outputs: Promise<T>, child: Started): Promise<T> {
  const timer = setTimeout(() => child.kill('SIGKILL'), endMsMax);
  try {
    return await outputs;
  } finally {
    clearTimeout(timer);
  }
}

function failure(code: number, stderr: string, options: UnpackOptions): CodedError {
  return nativeError(`wherry-layer unpack of ${options.blob}`, code, stderr);
}
