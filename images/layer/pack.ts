// SPDX-License-Identifier: Apache-2.0
// Makes a layer of a folder with wherry-layer, which writes the file itself, durably: no byte of it passes through
// JavaScript. The same folder and settings give the same bytes.

import { run } from '../../adapters/exec.js';
import { nativeError } from '../../adapters/native.js';
import { nativeProgram } from '../../adapters/places.js';
import type { Digest } from '../../protocol/name.js';
import { readResult } from './result.js';

export interface PackOptions {
  readonly dir: string;
  readonly compression: 'zstd' | 'gzip' | 'none';
  /** 1–22 for zstd (default 3), 1–9 for gzip (default 6). */
  readonly level?: number;
  /** Seconds since 1970 for every entry; else each keeps its own. */
  readonly mtime?: number;
  /** `root`: every entry belongs to 0:0. Default `keep`. */
  readonly owner?: 'keep' | 'root';
  /** The file to write; replaced if it is there. */
  readonly out: string;
  readonly signal?: AbortSignal;
}

export interface PackedLayer {
  readonly digest: Digest;
  readonly size: number;
  readonly diffId: Digest;
  readonly tarBytes: number;
  readonly entries: number;
}

/** @throws LAYER_TAR, LAYER_LIMIT, NO_SPACE, USAGE, BOX_*, NATIVE_MISSING */
export async function packLayer(options: PackOptions): Promise<PackedLayer> {
  const { dir, compression, level, mtime, owner, out, signal } = options;
  const args = [
    'pack',
    ...['--compression', compression, '--owner', owner ?? 'keep', '--out', out],
    ...(level === undefined ? [] : ['--level', String(level)]),
    ...(mtime === undefined ? [] : ['--mtime', String(mtime)]),
    '--',
    dir,
  ];
  const program = nativeProgram('wherry-layer');
  const { code, stdout, stderr } = await run(program, args, signal === undefined ? {} : { signal });
  if (code !== 0) throw nativeError('wherry-layer pack', code, stderr);
  return readResult<PackedLayer>(stdout, ['digest', 'size', 'diffId', 'tarBytes', 'entries']);
}
