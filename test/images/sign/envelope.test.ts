// SPDX-License-Identifier: Apache-2.0
// Envelopes: what is signed comes back byte for byte, and every attack ends in its own code.

import { createPrivateKey, generateKeyPairSync, sign as signRaw } from 'node:crypto';
import test from 'ava';
import fc from 'fast-check';
import { signEnvelope, verifyEnvelope } from '../../../images/sign/envelope.js';
import { makeKey, readKey } from '../../../images/sign/key.js';
import { type PayloadType, payloadTypes, preAuthEncoding } from '../../../protocol/envelope.js';
import { codeOf } from '../../../protocol/error.js';

const key = makeKey();
const other = makeKey();
const body = Buffer.from('{"kind":"release/v1",  "spacing":"kept"}');
const signed = signEnvelope(payloadTypes.release, body, key.privateKey);

function codeFrom(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return codeOf(error);
  }
  return 'none';
}

const verifyCode = (
  envelope: unknown,
  keys = [key.trusted],
  type: PayloadType = payloadTypes.release,
): string => codeFrom(() => verifyEnvelope(envelope, type, keys));

test('the pre-authentication encoding is the one of the DSSE specification', (t) => {
  const encoded = preAuthEncoding('http://example.com/HelloWorld', Buffer.from('hello world'));
  t.is(Buffer.from(encoded).toString(), 'DSSEv1 29 http://example.com/HelloWorld 11 hello world');
});

test('a signed payload comes back byte for byte, whatever its bytes are', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 512 }), (payload) => {
      const envelope = signEnvelope(payloadTypes.assignment, payload, key.privateKey);
      const copy: unknown = JSON.parse(JSON.stringify(envelope));
      const back = verifyEnvelope(copy, payloadTypes.assignment, [other.trusted, key.trusted]);
      return back.equals(payload);
    }),
    { numRuns: 40 },
  );
  t.pass();
});

test('the public half is read from a private and from a public PEM alike', (t) => {
  t.deepEqual(readKey(key.privateKey), key.trusted);
  const pair = generateKeyPairSync('ed25519');
  const pem = pair.publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const own = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  t.deepEqual(readKey(pem), readKey(own));
});

test('keys that are not Ed25519, or no keys at all, are refused', (t) => {
  const rsa = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  t.is(
    codeFrom(() => readKey(pem)),
    'SIGN_KEY_BAD',
  );
  t.is(
    codeFrom(() => readKey('hello')),
    'SIGN_KEY_BAD',
  );
  t.is(
    codeFrom(() => readKey('x'.repeat(5000))),
    'SIGN_KEY_BAD',
  );
  t.is(
    codeFrom(() => signEnvelope(payloadTypes.release, body, pem)),
    'SIGN_KEY_BAD',
  );
  const spki = rsa.publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
  t.is(verifyCode(signed, [{ keyid: '0'.repeat(16), publicKey: spki }]), 'SIGN_KEY_BAD');
});

test('an unsigned document is refused, also with an empty list of signatures', (t) => {
  t.is(verifyCode(JSON.parse(body.toString())), 'SIGN_UNSIGNED');
  t.is(verifyCode({ ...signed, signatures: [] }), 'SIGN_UNSIGNED');
  t.is(verifyCode(null), 'SIGN_UNSIGNED');
  t.is(verifyCode('text'), 'SIGN_UNSIGNED');
});

test('a signature by a key that is not trusted is refused', (t) => {
  t.is(verifyCode(signed, [other.trusted]), 'SIGN_UNTRUSTED');
  t.is(verifyCode(signed, []), 'SIGN_UNTRUSTED');
});

test('a keyid that lies does not make a signature count', (t) => {
  const lie = signEnvelope(payloadTypes.release, body, other.privateKey);
  const [first] = lie.signatures;
  const envelope = { ...lie, signatures: [{ keyid: key.trusted.keyid, sig: first?.sig ?? '' }] };
  t.is(verifyCode(envelope), 'SIGN_INVALID');
});

test('a wrong keyid does not stop a good signature', (t) => {
  const [first] = signed.signatures;
  const envelope = { ...signed, signatures: [{ keyid: 'whatever', sig: first?.sig ?? '' }] };
  t.deepEqual(verifyEnvelope(envelope, payloadTypes.release, [key.trusted]), body);
});

test('one good signature beside a foreign one is enough', (t) => {
  const foreign = signEnvelope(payloadTypes.release, body, other.privateKey);
  const envelope = { ...signed, signatures: [...foreign.signatures, ...signed.signatures] };
  t.deepEqual(verifyEnvelope(envelope, payloadTypes.release, [key.trusted]), body);
});

test('a release never passes for an assignment, nor with its type field swapped', (t) => {
  t.is(verifyCode(signed, [key.trusted], payloadTypes.assignment), 'SIGN_TYPE');
  const swapped = { ...signed, payloadType: payloadTypes.assignment };
  t.is(verifyCode(swapped, [key.trusted], payloadTypes.assignment), 'SIGN_INVALID');
});

test('any flipped bit of payload or signature is refused', (t) => {
  fc.assert(
    fc.property(fc.nat(body.length * 8 - 1), fc.nat(511), (bodyBit, sigBit) => {
      const payload = flip(signed.payload, bodyBit);
      const [first] = signed.signatures;
      const signature = { keyid: first?.keyid ?? '', sig: flip(first?.sig ?? '', sigBit) };
      return (
        verifyCode({ ...signed, payload }) === 'SIGN_INVALID' &&
        verifyCode({ ...signed, signatures: [signature] }) === 'SIGN_INVALID'
      );
    }),
    { numRuns: 40 },
  );
  t.pass();
});

function flip(base64: string, bit: number): string {
  const bytes = Buffer.from(base64, 'base64');
  bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return bytes.toString('base64');
}

test('a malformed envelope names the field', (t) => {
  const [first] = signed.signatures;
  const keyid = first?.keyid ?? '';
  t.is(verifyCode({ ...signed, extra: 1 }), 'SIGN_MALFORMED');
  t.is(verifyCode({ ...signed, payload: 7 }), 'SIGN_MALFORMED');
  t.is(verifyCode({ ...signed, payload: 'A'.repeat(200_000) }), 'SIGN_MALFORMED');
  t.is(verifyCode({ ...signed, payload: signed.payload.replace(/=+$/, '') }), 'SIGN_MALFORMED');
  t.is(verifyCode({ ...signed, signatures: [{ keyid, sig: 'AAAA' }] }), 'SIGN_MALFORMED');
  const many = Array.from({ length: 9 }, () => first);
  t.is(verifyCode({ ...signed, signatures: many }), 'SIGN_MALFORMED');
  t.is(
    codeFrom(() => signEnvelope(payloadTypes.release, Buffer.alloc(100_000), key.privateKey)),
    'SIGN_MALFORMED',
  );
});

test('a signature over the bare payload, without the encoding, is refused', (t) => {
  const bare = signRaw(null, body, createPrivateKey(key.privateKey)).toString('base64');
  const envelope = { ...signed, signatures: [{ keyid: key.trusted.keyid, sig: bare }] };
  t.is(verifyCode(envelope), 'SIGN_INVALID');
});
