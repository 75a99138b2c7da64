// SPDX-License-Identifier: Apache-2.0
// Runs the real wherry-layer on bytes, and looks at the trees that it makes.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { nativeProgram } from '../../adapters/places.js';

export interface LayerRun {
  readonly code: number;
  /** The error's code, '' on success. */
  readonly error: string;
  readonly message: string;
  readonly stdout: Buffer;
  readonly result: Record<string, string | number>;
}

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

export function tempDir(t: ExecutionContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'wherry-layer-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

export function layer(args: readonly string[], input?: Uint8Array): LayerRun {
  const done = spawnSync(nativeProgram('wherry-layer'), [...args], {
    input: input ?? Buffer.alloc(0),
    maxBuffer: 1 << 30,
    timeout: 60_000,
  });
  const stderr = done.stderr.toString();
  const failed = done.status !== 0;
  const line = failed
    ? (JSON.parse(stderr.trim().split('\n').at(-1) ?? '') as ErrorLine)
    : undefined;
  const text = done.stdout.subarray(0, 4096).toString();
  return {
    code: done.status ?? -1,
    error: line?.code ?? '',
    message: line?.msg ?? '',
    stdout: done.stdout,
    result: !failed && text.startsWith('{') ? (JSON.parse(text) as LayerRun['result']) : {},
  };
}

interface ErrorLine {
  code: string;
  msg: string;
}

export interface Unpacking {
  /** What arrives; default the tar itself. */
  readonly blob?: Buffer;
  readonly diffId?: string;
  readonly headers?: string;
  readonly args?: readonly string[];
}

/** Unpacks `tar`, whose true digests are given, into `dir`. */
export function unpack(tar: Buffer, dir: string, how: Unpacking = {}): LayerRun {
  const blob = how.blob ?? tar;
  return layer(
    [
      'unpack',
      ...['--diff-id', how.diffId ?? digestOf(tar), '--blob', digestOf(blob)],
      ...(how.headers === undefined ? [] : ['--headers', how.headers]),
      ...(how.args ?? []),
      dir,
    ],
    blob,
  );
}

/** One line per file, sorted: kind, mode, owner, time, size, target, device, links, content. */
export function listing(root: string, options: { links?: boolean } = {}): string[] {
  const lines: string[] = [];
  const firstOf = new Map<bigint, string>();
  const walk = (path: string) => {
    for (const name of readdirSync(join(root, path)).sort()) {
      const inside = join(path, name);
      lines.push(line(root, inside, options.links === false ? undefined : firstOf));
      if (lstatSync(join(root, inside)).isDirectory()) walk(inside);
    }
  };
  walk('.');
  return lines;
}

function line(root: string, path: string, firstOf?: Map<bigint, string>): string {
  const full = join(root, path);
  const s = lstatSync(full, { bigint: true });
  const words = [path, s.mode.toString(8), `${s.uid}:${s.gid}`, String(s.mtimeNs)];
  if (s.isFile()) words.push(String(s.size), digestOf(readFileSync(full)));
  if (s.isSymbolicLink()) words.push(readlinkSync(full));
  if (s.isCharacterDevice() || s.isBlockDevice()) words.push(String(s.rdev));
  if (firstOf !== undefined && s.nlink > 1n && !s.isDirectory()) {
    const first = firstOf.get(s.ino) ?? path;
    firstOf.set(s.ino, first);
    words.push(`=${first}`);
  }
  return words.join(' ');
}
