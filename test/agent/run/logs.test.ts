// SPDX-License-Identifier: Apache-2.0
// Reading CRI logs: over rotated files, from the end, and on while they are written and rotated.

import { appendFileSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { parsePart, readLogs } from '../../../agent/run/logs.js';
import type { LogQuery } from '../../../agent/run/types.js';
import type { LogLine } from '../../../protocol/local.js';
import { tempFolder } from '../../kit/box-container.js';

const at = '2026-01-31T12:00:00.123456789Z';
const line = (text: string, stream = 'stdout', tag = 'F'): string =>
  `${at} ${stream} ${tag} ${text}\n`;
const lines = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, index) => line(`line ${from + index}`)).join('');

async function read(folder: string, query: LogQuery = {}): Promise<string[]> {
  const texts: string[] = [];
  for await (const one of readLogs(folder, query)) texts.push(one.text);
  return texts;
}

const numbered = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, index) => `line ${from + index}`);

test('A container without a log has no lines', async (t) => {
  t.deepEqual(await read(join(tempFolder(t), 'none')), []);
  t.deepEqual(await read(tempFolder(t), { tail: 5 }), []);
});

test('Rotated files are read oldest first, by number and not by name', async (t) => {
  const folder = tempFolder(t);
  for (let age = 11; age >= 1; age -= 1) {
    writeFileSync(join(folder, `current.log.${age}`), lines((11 - age) * 2, (11 - age) * 2 + 2));
  }
  writeFileSync(join(folder, 'current.log'), lines(22, 24));
  writeFileSync(join(folder, 'other.txt'), lines(90, 91));
  t.deepEqual(await read(folder), numbered(0, 24));
});

test('The last lines are taken over the border of two files', async (t) => {
  const folder = tempFolder(t);
  writeFileSync(join(folder, 'current.log.1'), lines(0, 10));
  writeFileSync(join(folder, 'current.log'), lines(10, 13));
  t.deepEqual(await read(folder, { tail: 5 }), numbered(8, 13));
  t.deepEqual(await read(folder, { tail: 0 }), []);
  t.deepEqual(await read(folder, { tail: 99 }), numbered(0, 13));
});

test('Parts of a long line are joined, also over a rotation and between streams', async (t) => {
  const folder = tempFolder(t);
  writeFileSync(
    join(folder, 'current.log.1'),
    line('a', 'stdout', 'P') + line('err', 'stderr') + line('b', 'stdout', 'P'),
  );
  writeFileSync(join(folder, 'current.log'), line('c') + line('next'));
  t.deepEqual(await read(folder), ['err', 'abc', 'next']);
  t.deepEqual(await read(folder, { tail: 2 }), ['abc', 'next']);
});

test('A line that was begun and never ended is shown', async (t) => {
  const folder = tempFolder(t);
  writeFileSync(join(folder, 'current.log'), line('whole') + line('beg', 'stdout', 'P'));
  t.deepEqual(await read(folder), ['whole', 'beg']);
  t.deepEqual(await read(folder, { tail: 1 }), ['beg']);
});

test('Torn and foreign lines are passed over, and text is kept as it is', async (t) => {
  const folder = tempFolder(t);
  writeFileSync(
    join(folder, 'current.log'),
    `garbage\n\n${line('  two  blanks ')}${line('')}${at} stdo`,
  );
  t.deepEqual(await read(folder), ['  two  blanks ', '']);
  t.is(parsePart('x'), undefined);
  t.is(parsePart(`${at} stdin F x`), undefined);
  t.is(parsePart(`${at} stderr F x`)?.stream, 'stderr');
});

test('A line without an end is cut at a bound and does not fill the memory', async (t) => {
  const folder = tempFolder(t);
  writeFileSync(
    join(folder, 'current.log'),
    `${at} stdout F ${'x'.repeat(5_000_000)}\n${line('after')}`,
  );
  const texts = await read(folder);
  t.is(texts.length, 2);
  t.true((texts[0]?.length ?? 0) <= 64 * 1024);
  t.is(texts[1], 'after');
});

test('A log of many parts without an end comes as bounded lines', async (t) => {
  const folder = tempFolder(t);
  writeFileSync(join(folder, 'current.log'), line('y'.repeat(16_384), 'stdout', 'P').repeat(40));
  const texts = await read(folder);
  t.is(texts.join('').length, 16_384 * 40);
  t.true(texts.every((text) => text.length <= 256 * 1024 + 16_384));
});

test('Following gives what comes, over rotations, each line once, and ends with the signal', async (t) => {
  const folder = tempFolder(t);
  const current = join(folder, 'current.log');
  writeFileSync(current, lines(0, 3));
  const abort = new AbortController();
  const seen: LogLine[] = [];
  const reading = (async () => {
    for await (const one of readLogs(folder, { follow: true, tail: 1, signal: abort.signal })) {
      seen.push(one);
    }
  })();
  const rotate = (): void => {
    rmSync(join(folder, 'current.log.2'), { force: true });
    try {
      renameSync(join(folder, 'current.log.1'), join(folder, 'current.log.2'));
    } catch {
      // the first rotation has nothing to put further aside
    }
    renameSync(current, join(folder, 'current.log.1'));
  };
  await delay(50);
  appendFileSync(current, lines(3, 5));
  await delay(50);
  rotate();
  writeFileSync(current, lines(5, 7));
  await delay(50);
  appendFileSync(current, lines(7, 8));
  rotate();
  writeFileSync(current, lines(8, 9));
  rotate();
  writeFileSync(current, lines(9, 10));
  await waitUntil(() => seen.length >= 8);
  abort.abort();
  await reading;
  t.deepEqual(
    seen.map((one) => one.text),
    numbered(2, 10),
  );
});

test('Following a log that is not there yet waits for it', async (t) => {
  const folder = join(tempFolder(t), 'logs');
  const abort = new AbortController();
  const first = (async () => {
    for await (const one of readLogs(folder, { follow: true, signal: abort.signal }))
      return one.text;
    return 'none';
  })();
  await delay(30);
  mkdirSync(folder);
  writeFileSync(join(folder, 'current.log'), line('hello'));
  t.is(await first, 'hello');
  abort.abort();
});

async function waitUntil(isSo: () => boolean): Promise<void> {
  for (let at = 0; at < 250 && !isSo(); at += 1) await delay(20);
}
