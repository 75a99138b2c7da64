// SPDX-License-Identifier: Apache-2.0
// Stands in for ava inside an emulated device, where ava itself and a process a file would not fit: the same test
// files, one process, one test after the other. Has those of ava's words that the native tests use, and no others;
// each result is one line of JSON on stdout.

import { deepStrictEqual, fail, notStrictEqual, ok, strictEqual } from 'node:assert/strict';

type Body = (t: LabContext) => void | Promise<void>;

export interface LabResult {
  readonly file: string;
  readonly title: string;
  readonly ok: boolean;
  readonly ms: number;
  /** What it said by t.log; a test that cannot run says why. */
  readonly log: readonly string[];
  readonly error?: string;
}

interface Entry {
  readonly file: string;
  readonly title: string;
  readonly body: Body;
}

const testMsMax = 120_000;
const entries: Entry[] = [];
let file = '';

/** Tests that are declared from here on belong to this file. */
export function beginFile(name: string): void {
  file = name;
}

export function test(title: string, body: Body): void {
  entries.push({ file, title, body });
}
test.serial = test;
test.skip = (_title: string, _body: Body): void => undefined;

class LabContext {
  readonly #ends: Array<() => unknown> = [];
  readonly lines: string[] = [];
  readonly is = strictEqual;
  readonly not = notStrictEqual;
  readonly deepEqual = deepStrictEqual;
  readonly like = (value: object, part: object): void => {
    for (const [key, wanted] of Object.entries(part)) {
      deepStrictEqual((value as Record<string, unknown>)[key], wanted, key);
    }
  };
  readonly true = (value: unknown, message?: string): void => strictEqual(value, true, message);
  readonly false = (value: unknown, message?: string): void => strictEqual(value, false, message);
  readonly regex = (text: string, pattern: RegExp, message?: string): void =>
    ok(pattern.test(text), `${message ?? ''} ${JSON.stringify(text)} does not match ${pattern}`);
  readonly notRegex = (text: string, pattern: RegExp, message?: string): void =>
    ok(!pattern.test(text), `${message ?? ''} ${JSON.stringify(text)} matches ${pattern}`);
  readonly pass = (): void => undefined;
  readonly fail = (message?: string): never => fail(message ?? 't.fail');
  readonly log = (...words: unknown[]): void => {
    this.lines.push(words.map(String).join(' '));
  };
  readonly throws = (body: () => unknown): unknown => {
    try {
      body();
    } catch (error) {
      return error;
    }
    return fail('nothing was thrown');
  };
  readonly teardown = (end: () => unknown): void => {
    this.#ends.push(end);
  };

  async end(): Promise<void> {
    for (const end of this.#ends.reverse()) await end();
  }
}

/** Runs what was declared; gives how many failed. */
export async function runAll(print: (line: string) => void): Promise<number> {
  let failedCount = 0;
  for (const entry of entries) {
    const result = await runOne(entry);
    if (!result.ok) failedCount += 1;
    print(JSON.stringify(result));
  }
  return failedCount;
}

async function runOne(entry: Entry): Promise<LabResult> {
  const t = new LabContext();
  const startedAt = performance.now();
  let error: string | undefined;
  const note = (thrown: unknown): void => {
    error ??= thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
  };
  await inTime(Promise.resolve().then(() => entry.body(t))).catch(note);
  await inTime(t.end()).catch(note);
  return {
    file: entry.file,
    title: entry.title,
    ok: error === undefined,
    ms: Math.round(performance.now() - startedAt),
    log: t.lines,
    ...(error === undefined ? {} : { error: error.slice(0, 4000) }),
  };
}

async function inTime(work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no end after ${testMsMax} ms`)), testMsMax);
  });
  await Promise.race([work, late]).finally(() => clearTimeout(timer));
}
