// SPDX-License-Identifier: Apache-2.0
// Payloads: whatever comes in, the text comes out as it was sent or PAYLOAD_BAD is thrown.

import { createHash, randomBytes } from 'node:crypto';
import test from 'ava';
import fc from 'fast-check';
import { decodePayload, encodePayload, payloadBytesMax } from '../../adapters/zstd.js';
import { codeOf } from '../../protocol/error.js';

const long = JSON.stringify(Array.from({ length: 500 }, (_, at) => ({ at, name: `pump-${at}` })));

/** A frame with a head of our choice. */
function frame(packed: Uint8Array, length: number, text: string): Buffer {
  const head = Buffer.alloc(8);
  head.set([0xf7, 0x57, 0x5a, 1]);
  head.writeUInt32BE(length, 4);
  return Buffer.concat([head, createHash('sha256').update(text).digest().subarray(0, 16), packed]);
}

/** A zstd frame of `count` RLE blocks of 128 KiB each (RFC 8878 §3.1.1.2.2). */
function aBomb(count: number): Buffer {
  const head = Buffer.from('28b52ffda000000000', 'hex');
  head.writeUInt32LE(count * 131_072, 5);
  const blocks = Array.from({ length: count }, (_, at) => {
    const block = Buffer.alloc(4, 0x41);
    block.writeUIntLE((131_072 << 3) | (1 << 1) | (at === count - 1 ? 1 : 0), 0, 3);
    return block;
  });
  return Buffer.concat([head, ...blocks]);
}

test('a short text is plain JSON on the wire, a long one is a smaller frame', async (t) => {
  const short = '{"a":"ä"}';
  t.deepEqual(await encodePayload(short), Buffer.from(short));
  const packed = await encodePayload(long);
  t.true(packed.length < long.length / 5, `${packed.length} of ${long.length}`);
  t.deepEqual([...packed.subarray(0, 4)], [0xf7, 0x57, 0x5a, 1]);
  t.is(await decodePayload(packed), long);
  t.is(await decodePayload(Buffer.from(long)), long);
});

test('a text that does not get smaller is sent plain', async (t) => {
  const text = JSON.stringify(randomBytes(600).toString('base64'));
  t.true((await encodePayload(text)).length <= Buffer.byteLength(text));
  t.is(await decodePayload(await encodePayload(text)), text);
});

test('every text survives the way', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.string({ unit: 'grapheme', maxLength: 3000 }),
      fc.integer({ min: 1, max: 20 }),
      async (text, count) => {
        const whole = text.repeat(count);
        return (await decodePayload(await encodePayload(whole))) === whole;
      },
    ),
    { numRuns: 60 },
  );
  t.pass();
});

test('a frame that is cut anywhere is refused', async (t) => {
  const packed = await encodePayload(long);
  for (let length = 1; length < packed.length; length += 1) {
    const error = await t.throwsAsync(decodePayload(packed.subarray(0, length)));
    if (codeOf(error) !== 'PAYLOAD_BAD') t.fail(`cut at ${length}: ${codeOf(error)}`);
  }
});

test('a frame with any bit flipped is refused or gives the same text', async (t) => {
  const packed = await encodePayload(long);
  let refused = 0;
  for (let at = 0; at < packed.length; at += 1) {
    const flipped = Buffer.from(packed);
    flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8));
    const answer = await decodePayload(flipped).catch((error: unknown) => codeOf(error));
    if (answer === 'PAYLOAD_BAD') refused += 1;
    else t.is(answer, long, `byte ${at}`);
  }
  t.true(refused > packed.length * 0.95, `${refused} of ${packed.length}`);
});

test('garbage, bombs and wrong lengths are refused without being unpacked', async (t) => {
  const packed = (await encodePayload(long)).subarray(24);
  const bomb = aBomb(64);
  const cases: Buffer[] = [
    Buffer.from([0xff, 0xfe, 0x00]),
    Buffer.from([0xf7]),
    Buffer.concat([Buffer.from([0xf7, 0x57, 0x5a, 2]), Buffer.alloc(40)]),
    frame(packed, long.length + 1, long),
    frame(packed, 0, long),
    frame(packed, 0xffffffff, long),
    frame(Buffer.alloc(0), long.length, long),
    frame(Buffer.concat([packed, packed]), long.length, long),
    frame(randomBytes(500), long.length, long),
    frame(packed, long.length, `${long} `),
    Buffer.alloc(payloadBytesMax + 1, 0x20),
  ];
  for (const [at, bytes] of cases.entries()) {
    await t.throwsAsync(decodePayload(bytes), { code: 'PAYLOAD_BAD' }, `case ${at}`);
  }
  for (const length of [1000, payloadBytesMax]) {
    await t.throwsAsync(decodePayload(frame(bomb, length, 'A')), {
      code: 'PAYLOAD_BAD',
      message: /two different lengths/,
    });
  }
  t.is(await decodePayload(frame(aBomb(1), 131_072, 'A'.repeat(131_072))), 'A'.repeat(131_072));
});

test('random bytes never do more than be refused or be read as text', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.boolean(), async (bytes, isFrame) => {
      const payload = isFrame ? frame(bytes, bytes.length + 1, 'x') : Buffer.from(bytes);
      const answer = await decodePayload(payload).catch((error: unknown) => codeOf(error));
      return typeof answer === 'string';
    }),
    { numRuns: 200 },
  );
  t.pass();
});

test('a text that is too long is not sent', async (t) => {
  await t.throwsAsync(encodePayload('x'.repeat(payloadBytesMax + 1)), { code: 'LINK_TOO_LARGE' });
});
