// SPDX-License-Identifier: Apache-2.0
// Reads a container's log: CRI lines (`TIME STREAM TAG TEXT`) over all rotated files, the last N of them, and
// on with what comes. Memory is bounded by one line and one block whatever the log's size. Lines that were
// rotated away between two looks are gone; nothing comes twice.

import { existsSync, type FSWatcher, watch } from 'node:fs';
import type { LogLine } from '../../protocol/local.js';
import { closeLogFiles, LineReader, type LogFile, openLogFiles } from './log-files.js';
import type { LogQuery } from './types.js';

/** Parts of one long line are joined up to this; what is beyond comes as lines of their own. */
const textLengthMax = 256 * 1024;
const pollMs = 500;

interface Part {
  readonly at: string;
  readonly stream: 'stdout' | 'stderr';
  readonly isWhole: boolean;
  readonly text: string;
}

/** `2026-01-31T12:00:00.123456789Z stdout F text`; P = the line goes on in the stream's next part. */
export function parsePart(line: string): Part | undefined {
  const match = /^(\S{1,40}) (stdout|stderr) ([FP])(?::\S*)? ?(.*)$/s.exec(line);
  if (match === null) return undefined;
  const [, at = '', stream, tag, text = ''] = match;
  return { at, stream: stream === 'stderr' ? 'stderr' : 'stdout', isWhole: tag === 'F', text };
}

/** Joins parts to lines, one line under way for each stream. */
class Joiner {
  readonly #open: Partial<Record<Part['stream'], LogLine>> = {};

  add(raw: string): LogLine | undefined {
    const part = parsePart(raw);
    if (part === undefined) return undefined;
    const before = this.#open[part.stream];
    const line: LogLine = {
      at: before?.at ?? part.at,
      stream: part.stream,
      text: (before?.text ?? '') + part.text,
    };
    if (!part.isWhole && line.text.length < textLengthMax) {
      this.#open[part.stream] = line;
      return undefined;
    }
    delete this.#open[part.stream];
    return line;
  }

  /** What was begun and has no end: the container died within a line. */
  rest(): LogLine[] {
    return Object.values(this.#open);
  }
}

export async function* readLogs(folder: string, query: LogQuery): AsyncGenerator<LogLine> {
  const files = await openLogFiles(folder);
  const position: Position = {
    file: undefined,
    reader: undefined,
    joiner: new Joiner(),
    held: [...files],
  };
  try {
    let skip = query.tail === undefined ? 0 : (await countLines(files)) - query.tail;
    for (const file of files) {
      position.file = file;
      position.reader = new LineReader(file.handle);
      for await (const line of readOn(position)) {
        skip -= 1;
        if (skip < 0) yield line;
      }
    }
    if (query.follow === true) yield* follow(folder, position, query.signal);
    else yield* position.joiner.rest();
  } finally {
    await closeLogFiles(position.held);
  }
}

async function countLines(files: readonly LogFile[]): Promise<number> {
  let count = 0;
  const joiner = new Joiner();
  for (const file of files) {
    for await (const raw of new LineReader(file.handle).lines()) {
      if (joiner.add(raw) !== undefined) count += 1;
    }
  }
  return count + joiner.rest().length;
}

interface Position {
  file: LogFile | undefined;
  reader: LineReader | undefined;
  readonly joiner: Joiner;
  /** Every file that is to be closed at the end. */
  readonly held: LogFile[];
}

async function* follow(
  folder: string,
  position: Position,
  signal: AbortSignal | undefined,
): AsyncGenerator<LogLine> {
  const wake = wakeOn(folder);
  try {
    while (signal?.aborted !== true) {
      yield* readOn(position);
      const newer = await filesAfter(folder, position);
      if (newer.length > 0) {
        yield* readOn(position); // what was written to it before it was put aside
        for (const file of newer) {
          advance(position, file);
          yield* readOn(position);
        }
        continue;
      }
      await wake.next(signal);
    }
  } finally {
    wake.end();
  }
}

async function* readOn(position: Position): AsyncGenerator<LogLine> {
  if (position.reader === undefined) return;
  for await (const raw of position.reader.lines()) {
    const line = position.joiner.add(raw);
    if (line !== undefined) yield line;
  }
}

/** Files newer than the one that is read, oldest first; all of them where that one is gone. */
async function filesAfter(folder: string, position: Position): Promise<LogFile[]> {
  const files = await openLogFiles(folder);
  const at = files.findIndex((file) => file.inode === position.file?.inode);
  const newer = files.slice(at + 1);
  await closeLogFiles(files.slice(0, at + 1));
  position.held.push(...newer);
  return newer;
}

function advance(position: Position, file: LogFile): void {
  const before = position.held.filter((held) => held === position.file);
  for (const held of before) {
    position.held.splice(position.held.indexOf(held), 1);
    void held.handle.close();
  }
  position.file = file;
  position.reader = new LineReader(file.handle);
}

/** Wakes at a change of the folder, at the latest after `pollMs`. */
function wakeOn(folder: string): { next(signal?: AbortSignal): Promise<void>; end(): void } {
  let ring: () => void = () => undefined;
  let changed = false;
  let watcher: FSWatcher | undefined;
  if (existsSync(folder)) {
    watcher = watch(folder, () => {
      changed = true;
      ring();
    });
    watcher.on('error', () => watcher?.close()); // the folder went: the poll goes on
  }
  return {
    next: (signal) =>
      new Promise((resolve) => {
        if (changed) {
          changed = false;
          resolve();
          return;
        }
        const timer = setTimeout(() => ring(), pollMs);
        const stop = (): void => ring();
        signal?.addEventListener('abort', stop, { once: true });
        ring = () => {
          clearTimeout(timer);
          signal?.removeEventListener('abort', stop);
          ring = () => undefined;
          changed = false;
          resolve();
        };
      }),
    end: () => watcher?.close(),
  };
}
