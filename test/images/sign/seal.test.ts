// SPDX-License-Identifier: Apache-2.0
// Sealing to an X25519 key: opens for its holder in its place, and for nobody else, nowhere else, nothing changed.

import { randomBytes } from 'node:crypto';
import test from 'ava';
import { makeKey } from '../../../images/sign/key.js';
import { makeSealKey, seal, sealKeyOf, secretBytesMax, unseal } from '../../../images/sign/seal.js';
import { codeOf } from '../../../protocol/error.js';
import { sealContext } from '../../../protocol/sealed.js';

const place = sealContext({ tenant: 'main', device: 'web-1', name: 'registry/a', version: 3 });

test('what was sealed comes back byte for byte, whatever its length is', (t) => {
  const { privateKey, publicKey } = makeSealKey();
  t.is(sealKeyOf(privateKey), publicKey);
  for (const length of [0, 1, 1000, secretBytesMax]) {
    const bytes = randomBytes(length);
    t.true(unseal(seal(bytes, publicKey, place), privateKey, place).equals(bytes));
  }
});

test('the same secret is never sealed twice alike, and its text is nowhere in it', (t) => {
  const { publicKey } = makeSealKey();
  const [a, b] = [1, 2].map(() => seal(Buffer.from('correct horse'), publicKey, place));
  t.not(a, b);
  t.false(Buffer.from(a ?? '', 'base64').includes('horse'));
});

test('another key, another place, or one flipped bit opens nothing', (t) => {
  const { privateKey, publicKey } = makeSealKey();
  const sealed = seal(Buffer.from('secret'), publicKey, place);
  const fails = (text: string, key: string, aad: string): void => {
    t.is(codeOf(t.throws(() => unseal(text, key, aad))), 'SEAL_BROKEN');
  };
  fails(sealed, makeSealKey().privateKey, place);
  for (const other of [place.replace('web-1', 'web-2'), place.replace('main', 'x'), `${place}0`]) {
    fails(sealed, privateKey, other);
  }
  const bytes = Buffer.from(sealed, 'base64');
  for (let bit = 0; bit < bytes.length * 8; bit += 1) {
    const changed = Buffer.from(bytes);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    if (bit === 255) continue; // RFC 7748 §5: the top bit of a public key is ignored; it is bound by the salt below
    fails(changed.toString('base64'), privateKey, place);
  }
  bytes[31] = (bytes[31] ?? 0) ^ 0x80;
  fails(bytes.toString('base64'), privateKey, place);
  fails('AAAA', privateKey, place);
  fails(Buffer.alloc(48).toString('base64'), privateKey, place); // a point of low order
});

test('keys of another kind and secrets past the bound are refused', (t) => {
  const { publicKey } = makeSealKey();
  t.is(codeOf(t.throws(() => sealKeyOf(makeKey().privateKey))), 'SEAL_KEY_BAD');
  t.is(codeOf(t.throws(() => sealKeyOf('no key'))), 'SEAL_KEY_BAD');
  t.is(codeOf(t.throws(() => seal(Buffer.from('x'), 'AAAA', place))), 'SEAL_KEY_BAD');
  const long = Buffer.alloc(secretBytesMax + 1);
  t.is(codeOf(t.throws(() => seal(long, publicKey, place))), 'SEAL_BROKEN');
});
