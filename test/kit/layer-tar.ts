// SPDX-License-Identifier: Apache-2.0
// Makes tar archives byte by byte, also ones that no honest program writes. It checks nothing.

export interface RawEntry {
  readonly name: string | Buffer;
  /** Default '0', a file. */
  readonly type?: string;
  readonly content?: string | Buffer;
  /** What the header says of the size; default the content's. */
  readonly size?: number;
  readonly link?: string | Buffer;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  readonly device?: readonly [number, number];
  /** Written as an extended header in front, in this order. */
  readonly pax?: ReadonlyArray<readonly [string, string | Buffer]>;
  readonly dialect?: 'ustar' | 'gnu' | 'v7';
  /** Bytes put into the header last, before its checksum. */
  readonly patch?: ReadonlyArray<readonly [number, string | Buffer]>;
  readonly checksum?: number;
}

const block = 512;
const magics = { ustar: 'ustar\x0000', gnu: 'ustar  \0', v7: '' };

/** With the two zero blocks at the end, unless `end` is false. */
export function tarOf(entries: readonly RawEntry[], end = true): Buffer {
  const parts = entries.flatMap(entryBytes);
  if (end) parts.push(Buffer.alloc(2 * block));
  return Buffer.concat(parts);
}

export function entryBytes(entry: RawEntry): Buffer[] {
  const content = Buffer.from(entry.content ?? '');
  const extended =
    entry.pax === undefined
      ? []
      : entryBytes({ name: 'pax', type: 'x', content: Buffer.concat(entry.pax.map(paxRecord)) });
  return [...extended, header(entry, content.length), padded(content)];
}

export function paxRecord([key, value]: readonly [string, string | Buffer]): Buffer {
  const body = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from('\n')]);
  let length = body.length + 1;
  while (String(length).length + body.length !== length) length += 1;
  return Buffer.concat([Buffer.from(String(length)), body]);
}

/** GNU's base-256, as wide as the field. */
export function base256(value: number | bigint, width: number): Buffer {
  const field = Buffer.alloc(width);
  let left = BigInt(value);
  for (let i = width - 1; i >= 0; i -= 1) {
    field[i] = Number(left & 0xffn);
    left >>= 8n;
  }
  field[0] = (field[0] ?? 0) | 0x80;
  return field;
}

function header(entry: RawEntry, contentBytes: number): Buffer {
  const h = Buffer.alloc(block);
  put(h, 0, entry.name, 100);
  octal(h, 100, 8, entry.mode ?? 0o644);
  octal(h, 108, 8, entry.uid ?? 0);
  octal(h, 116, 8, entry.gid ?? 0);
  octal(h, 124, 12, entry.size ?? contentBytes);
  octal(h, 136, 12, entry.mtime ?? 1_700_000_000);
  put(h, 156, entry.type ?? '0', 1);
  put(h, 157, entry.link ?? '', 100);
  put(h, 257, magics[entry.dialect ?? 'ustar'], 8);
  if (entry.device !== undefined) {
    octal(h, 329, 8, entry.device[0]);
    octal(h, 337, 8, entry.device[1]);
  }
  for (const [at, bytes] of entry.patch ?? []) Buffer.from(bytes).copy(h, at);
  h.fill(' ', 148, 156);
  const sum = h.reduce((total, byte) => total + byte, 0);
  put(h, 148, `${(entry.checksum ?? sum).toString(8).padStart(6, '0')}\0 `, 8);
  return h;
}

function put(h: Buffer, at: number, bytes: string | Buffer, width: number): void {
  Buffer.from(bytes).copy(h, at, 0, width);
}

function octal(h: Buffer, at: number, width: number, value: number): void {
  put(h, at, `${value.toString(8).padStart(width - 1, '0')}\0`, width);
}

function padded(content: Buffer): Buffer {
  return Buffer.concat([content, Buffer.alloc((block - (content.length % block)) % block)]);
}
