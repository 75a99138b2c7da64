// SPDX-License-Identifier: Apache-2.0
// A release from drafts: each reference is asked for once, and the whole passes the device's own check.

import test from 'ava';
import { acceptRelease } from '../../../fleet/release/accept.js';
import { readCompose } from '../../../fleet/release/compose.js';
import { digestOf, makeRelease, type Resolve } from '../../../fleet/release/release.js';
import { signEnvelope } from '../../../images/sign/envelope.js';
import { makeKey } from '../../../images/sign/key.js';
import { payloadTypes } from '../../../protocol/envelope.js';
import { codeOf } from '../../../protocol/error.js';
import type { Digest } from '../../../protocol/name.js';

const one: Digest = `sha256:${'1'.repeat(64)}`;
const naming = { app: 'shop', version: 'v1', counter: 1, createdAt: '2026-01-01T00:00:00Z' };

function resolver(): { resolve: Resolve; asked: string[] } {
  const asked: string[] = [];
  const resolve: Resolve = async (reference) => {
    asked.push(reference);
    return { reference: `reg:5000/${reference}`, digest: one };
  };
  return { resolve, asked };
}

test('each image is resolved once and pinned by digest', async (t) => {
  const { resolve, asked } = resolver();
  const compose = readCompose('services: {a: {image: web}, b: {image: web}}', 'c');
  const { release, bytes, digest } = await makeRelease(compose, naming, resolve);
  t.deepEqual(asked, ['web']);
  t.deepEqual(
    release.workloads.map(({ image }) => image),
    [
      { reference: 'reg:5000/web', digest: one },
      { reference: 'reg:5000/web', digest: one },
    ],
  );
  t.is(digest, digestOf(bytes));
  t.deepEqual(JSON.parse(bytes.toString()), release);
});

test('the same file, name and images give the same bytes', async (t) => {
  const compose = readCompose('services: {a: {image: web, environment: {A: 1}}}', 'c');
  const first = await makeRelease(compose, naming, resolver().resolve);
  const again = await makeRelease(compose, naming, resolver().resolve);
  t.is(first.digest, again.digest);
});

test('a release too long for a device is refused', async (t) => {
  const long = 'x'.repeat(30_000);
  const compose = readCompose(
    `services: {a: {image: w, environment: {A: ${long}, B: ${long}, C: ${long}}}}`,
    'c',
  );
  const error = await t.throwsAsync(makeRelease(compose, naming, resolver().resolve));
  t.is(codeOf(error), 'RELEASE_LARGE');
});

test('a version that cannot be written is refused', async (t) => {
  const compose = readCompose('services: {a: {image: w}}', 'c');
  const bad = { ...naming, version: 'a b' };
  t.is(codeOf(await t.throwsAsync(makeRelease(compose, bad, resolver().resolve))), 'SHAPE_BAD');
});

test('an upload counts only if a trusted release key signed it as a release', async (t) => {
  const compose = readCompose('services: {a: {image: w}}', 'c');
  const { bytes, digest } = await makeRelease(compose, naming, resolver().resolve);
  const key = makeKey();
  const other = makeKey();
  const good = signEnvelope(payloadTypes.release, bytes, key.privateKey);
  const { envelope, ...accepted } = acceptRelease(good, [key.trusted]);
  t.deepEqual(accepted, { digest, keyid: key.trusted.keyid, ...naming });
  t.deepEqual(JSON.parse(envelope), good);

  const reason = (work: () => unknown): string => codeOf(t.throws(work));
  t.is(
    reason(() => acceptRelease(good, [other.trusted])),
    'SIGN_UNTRUSTED',
  );
  t.is(
    reason(() => acceptRelease({ ...good, signatures: [] }, [key.trusted])),
    'SIGN_UNSIGNED',
  );
  const swapped = signEnvelope(payloadTypes.assignment, bytes, key.privateKey);
  t.is(
    reason(() => acceptRelease(swapped, [key.trusted])),
    'SIGN_TYPE',
  );
  const payload = Buffer.from(bytes.toString().replace('v1', 'v2')).toString('base64');
  t.is(
    reason(() => acceptRelease({ ...good, payload }, [key.trusted])),
    'SIGN_INVALID',
  );
});
