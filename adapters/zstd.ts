// SPDX-License-Identifier: Apache-2.0
// Payloads of MQTT messages: plain JSON, or JSON compressed by zstd-codec behind our own length and
// checksum, since that library decodes a cut stream "successfully". The library (16 MiB of WebAssembly)
// is loaded when the first payload needs it. It takes nothing longer than 256 KiB, either way.
//
// The frame, all integers big-endian:
//   0   3  F7 57 5A           0xF7 never occurs in UTF-8, so a frame is never taken for JSON
//   3   1  01                 version
//   4   4  length of the text in bytes, 1 … 262144
//   8  16  first 16 bytes of the SHA-256 of the text
//  24   …  one zstd frame (RFC 8878) whose header states that same length

import { createHash } from 'node:crypto';
import { CodedError } from '../protocol/error.js';

export const payloadBytesMax = 256 * 1024;
/** Below it, compression saves less than it costs. */
const plainBytesMax = 512;
/** Level 10 and above run out of the library's heap. */
const level = 5;
const headBytes = 24;
const magic = Buffer.from([0xf7, 0x57, 0x5a, 0x01]);

interface Zstd {
  compress(bytes: Uint8Array, level: number): Uint8Array | null;
  decompress(bytes: Uint8Array): Uint8Array | null;
}

let loading: Promise<Zstd> | undefined;

function load(): Promise<Zstd> {
  loading ??= import('zstd-codec').then(
    ({ ZstdCodec }) =>
      new Promise<Zstd>((resolve) => {
        ZstdCodec.run((zstd) => resolve(new zstd.Simple()));
      }),
  );
  return loading;
}

/** @throws LINK_TOO_LARGE */
export async function encodePayload(text: string): Promise<Buffer> {
  const plain = Buffer.from(text, 'utf8');
  if (plain.length > payloadBytesMax) {
    throw new CodedError('LINK_TOO_LARGE', `a payload of ${plain.length} bytes is too long`, {
      bytes: plain.length,
      bytesMax: payloadBytesMax,
    });
  }
  if (plain.length <= plainBytesMax) return plain;
  const packed = attempt(await load(), (zstd) => zstd.compress(plain, level));
  if (packed === undefined || packed.length + headBytes >= plain.length) return plain;
  const length = Buffer.alloc(4);
  length.writeUInt32BE(plain.length);
  return Buffer.concat([magic, length, checksumOf(plain), packed]);
}

/** The text; it is UTF-8, but not yet checked to be JSON. @throws PAYLOAD_BAD */
export async function decodePayload(bytes: Buffer): Promise<string> {
  if (bytes.length > payloadBytesMax) throw bad(`is ${bytes.length} bytes long`);
  if (bytes[0] !== magic[0]) return textOf(bytes);
  if (bytes.length < headBytes) throw bad('is cut inside its head');
  if (!bytes.subarray(0, 4).equals(magic)) throw bad('is of an unknown frame version');
  const length = bytes.readUInt32BE(4);
  const packed = bytes.subarray(headBytes);
  if (length === 0 || length > payloadBytesMax) throw bad(`claims ${length} bytes`);
  // The library allocates what the zstd header claims, so the claim is compared before it may.
  if (contentSizeOf(packed) !== length) throw bad('claims two different lengths');
  const plain = attempt(await load(), (zstd) => zstd.decompress(packed));
  if (plain === undefined) throw bad('does not decompress');
  if (plain.length !== length) throw bad(`has ${plain.length} bytes and claims ${length}`);
  if (!checksumOf(plain).equals(bytes.subarray(8, headBytes))) throw bad('fails its checksum');
  return textOf(plain);
}

function checksumOf(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest().subarray(0, 16);
}

function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new CodedError('PAYLOAD_BAD', 'the payload is not UTF-8', {}, { cause: error });
  }
}

function bad(what: string): CodedError {
  return new CodedError('PAYLOAD_BAD', `the payload ${what}`);
}

/** The library gives null for bad input and throws strings when its heap is full; a new heap follows then. */
function attempt(zstd: Zstd, work: (zstd: Zstd) => Uint8Array | null): Uint8Array | undefined {
  try {
    return work(zstd) ?? undefined;
  } catch {
    loading = undefined;
    return undefined;
  }
}

/** Frame_Content_Size of a zstd frame (RFC 8878 §3.1.1.1); undefined where the header has none or is cut. */
function contentSizeOf(frame: Buffer): number | undefined {
  if (frame.length < 5 || frame.readUInt32LE(0) !== 0xfd2fb528) return undefined;
  const descriptor = frame[4] ?? 0;
  const isSingle = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  const at = 5 + (isSingle ? 0 : 1) + ([0, 1, 2, 4][descriptor & 3] ?? 0);
  const sizeBytes = sizeFlag === 0 ? (isSingle ? 1 : 0) : 1 << sizeFlag;
  if (sizeBytes === 0 || frame.length < at + sizeBytes) return undefined;
  if (sizeBytes === 8) return Number(frame.readBigUInt64LE(at));
  return frame.readUIntLE(at, sizeBytes) + (sizeBytes === 2 ? 256 : 0);
}
