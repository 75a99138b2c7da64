// SPDX-License-Identifier: Apache-2.0
// Services that take from others: extends, profiles, shared networks, and the places that errors and notes name.

import test from 'ava';
import { readCompose } from '../../../fleet/release/compose.js';
import { read, refusal, textOf } from '../../kit/release-compose.js';

test('extends takes a service of the file or of another one, whose paths start there', (t) => {
  const { drafts } = read(`
services:
  common: {image: c, labels: {a: "1"}, cap_add: [NET_ADMIN], command: [a, b], profiles: [never]}
  web:
    extends: {service: common}
    profiles: []
    labels: [b=2]
    cap_add: [SYS_TIME]
    command: [c]
  far:
    extends: {file: app/base.yaml, service: base}
    environment: [Y=2]
`);
  const byName = new Map(drafts.map((draft) => [draft.name, draft]));
  t.is(byName.get('web')?.reference, undefined, 'lists are joined, so it is in the profile too');
  t.deepEqual(byName.get('far')?.environment, { FROM_BASE: 'yes', X: '1', Y: '2' });
  const web = read(
    'services:\n  common: {image: c, labels: {a: "1"}, cap_add: [NET_ADMIN], command: [a, b]}\n' +
      '  web: {extends: common, labels: [b=2], cap_add: [SYS_TIME], command: [c]}\n',
  ).drafts[1];
  t.like(web, {
    reference: 'c',
    labels: { a: '1', b: '2' },
    capAdd: ['CAP_NET_ADMIN', 'CAP_SYS_TIME'],
    command: ['c'],
  });
  t.regex(
    refusal('services:\n  a: {extends: b}\n  b: {extends: a}\n'),
    /^COMPOSE_REFERENCE \d: .*extends itself in the end/,
  );
  t.regex(refusal('services:\n  a: {extends: z}\n'), /^COMPOSE_REFERENCE 2: .*names z/);
});

test('an error inside a file that is extended names that file and its line', (t) => {
  const error = t.throws(() =>
    readCompose('services: {w: {extends: {file: x/y.yaml, service: s}}}', 'compose.yaml', {
      readText: () => 'services:\n  s:\n    image: i\n    restart: maybe\n',
    }),
  );
  t.regex(error?.message ?? '', /^x\/y\.yaml:4: services\.w\.restart: must be/);
});

test('profiles: a service of one comes only when it is asked for, and a star asks for all', (t) => {
  const text = 'services:\n  a: {image: a}\n  b: {image: b, profiles: [debug]}\n';
  const names = (profiles: readonly string[]) =>
    read(text, profiles).drafts.map(({ name }) => name);
  t.deepEqual(names([]), ['a']);
  t.deepEqual(names(['debug']), ['a', 'b']);
  t.deepEqual(names(['*']), ['a', 'b']);
  t.regex(
    refusal(`${text}  c: {image: c, depends_on: [b]}\n`),
    /^COMPOSE_REFERENCE 4: services\.c: depends_on names b/,
  );
  const loose = read(
    `${text}  c: {image: c, depends_on: {b: {condition: service_started, required: false}}}\n`,
  );
  t.deepEqual(loose.drafts[1]?.dependsOn, {});
});

test('a workload in the network of another one starts after it', (t) => {
  const { drafts } = read('services: {a: {image: a}, b: {image: b, network_mode: "service:a"}}');
  t.deepEqual(drafts[1]?.dependsOn, { a: 'service_started' });
});

test('what is taken without effect is noted with its line', (t) => {
  const { notes } = read(textOf('pull_policy: always'));
  t.deepEqual(notes, [
    'compose.yaml:4: services.web.pull_policy: the release names the digest; without effect',
  ]);
});
