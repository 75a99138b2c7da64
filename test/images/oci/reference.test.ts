// SPDX-License-Identifier: Apache-2.0
// References as Docker people write them, and hostile text.

import test from 'ava';
import fc from 'fast-check';
import { formatReference, parseReference } from '../../../images/oci/reference.js';
import { codeOf } from '../../../protocol/error.js';

const hex = 'a'.repeat(64);

const whole: ReadonlyArray<readonly [string, string]> = [
  ['web', 'docker.io/library/web:latest'],
  ['user/web:1.2', 'docker.io/user/web:1.2'],
  ['docker.io/web', 'docker.io/library/web:latest'],
  ['index.docker.io/library/web', 'docker.io/library/web:latest'],
  ['localhost/web', 'localhost/web:latest'],
  ['localhost:5000/web:v1', 'localhost:5000/web:v1'],
  ['127.0.0.1:5000/a/b_c/d--e:v1', '127.0.0.1:5000/a/b_c/d--e:v1'],
  ['[::1]:5000/web', '[::1]:5000/web:latest'],
  ['Registry.Example.COM/web', 'registry.example.com/web:latest'],
  [`ghcr.io/a/b@sha256:${hex}`, `ghcr.io/a/b@sha256:${hex}`],
  [`ghcr.io/a/b:v1@sha256:${hex}`, `ghcr.io/a/b:v1@sha256:${hex}`],
];

for (const [short, long] of whole) {
  test(`the reference ${short} means ${long}`, (t) => {
    t.is(formatReference(parseReference(short)), long);
    t.deepEqual(parseReference(long), parseReference(short));
  });
}

const refused = [
  '',
  'Web',
  'web:',
  'web:-x',
  'a//b',
  '/web',
  'web/',
  'web..x',
  '../../etc/passwd',
  'host:99999/web',
  'host:0/web',
  'http://host/web',
  'web\n',
  'web name',
  `web@sha256:${hex.slice(1)}`,
  `web@md5:${hex}`,
  `web:${'x'.repeat(129)}`,
  `host.de/${'x'.repeat(256)}`,
  'user@host.de/web',
  'host.de/web?x=1',
  'host.de/web#x',
  'host.de/%2e%2e/web',
];

for (const text of refused) {
  test(`the reference ${JSON.stringify(text.slice(0, 40))} is refused`, (t) => {
    const error = t.throws(() => parseReference(text));
    t.is(codeOf(error), 'IMAGE_REFERENCE');
  });
}

test('any text either is refused or reads back as itself', (t) => {
  const part = fc.constantFrom(
    'a',
    '-',
    '_',
    '.',
    '/',
    ':',
    '@',
    'A',
    '0',
    `sha256:${hex}`,
    '[::1]',
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 120 }), (parts) => {
      const text = parts.join('');
      try {
        const reference = parseReference(text);
        const again = parseReference(formatReference(reference));
        return JSON.stringify(again) === JSON.stringify(reference);
      } catch (error) {
        return codeOf(error) === 'IMAGE_REFERENCE';
      }
    }),
    { numRuns: 500 },
  );
  t.pass();
});
