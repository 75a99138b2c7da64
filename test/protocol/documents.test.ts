import test from 'ava';
import { assignment } from '../../protocol/assignment.js';
import { reported } from '../../protocol/device.js';
import { enrolResponse } from '../../protocol/enrol.js';
import { preAuthEncoding } from '../../protocol/envelope.js';
import { CodedError } from '../../protocol/error.js';
import { release } from '../../protocol/release.js';

const digest = `sha256:${'a'.repeat(64)}`;

function aRelease(changed: object = {}, workload: object = {}): unknown {
  return {
    kind: 'release/v1',
    app: 'web',
    version: 'v1',
    counter: 1,
    createdAt: '2026-01-31T12:00:00Z',
    gate: { bakeMs: 1000, deadlineMs: 60_000 },
    workloads: [
      {
        name: 'web',
        image: { reference: 'r.example/web:v1', digest },
        restart: { policy: 'always', retryCountMax: 0 },
        stopGraceMs: 10_000,
        resources: {},
        ...workload,
      },
    ],
    ...changed,
  };
}

test('a release is read whole', (t) => {
  t.deepEqual(release(aRelease(), 'release') as unknown, aRelease());
});

for (const [title, document, path] of [
  ['an unknown field', aRelease({ extra: 1 }), 'release.extra'],
  [
    'an unknown field of a workload',
    aRelease({}, { privilegd: true }),
    'release.workloads[0].privilegd',
  ],
  ['a missing field', aRelease({ counter: undefined }), 'release.counter'],
  ['a counter that is not a safe integer', aRelease({ counter: 2 ** 53 }), 'release.counter'],
  [
    'a memory limit below what starts anything',
    aRelease({}, { resources: { memoryMaxBytes: 1 } }),
    'release.workloads[0].resources.memoryMaxBytes',
  ],
  [
    'a mount that climbs',
    aRelease({}, { mounts: [{ type: 'bind', source: '/', target: '/a/../b' }] }),
    'release.workloads[0].mounts[0].target',
  ],
  [
    'a port out of range',
    aRelease({}, { ports: [{ published: 0, target: 80, protocol: 'tcp' }] }),
    'release.workloads[0].ports[0].published',
  ],
  [
    'a capability that is none',
    aRelease({}, { capAdd: ['NET_ADMIN'] }),
    'release.workloads[0].capAdd[0]',
  ],
] as const) {
  test(`${title} of a release is refused by its path`, (t) => {
    const error = t.throws(() => release(document, 'release'), { instanceOf: CodedError });
    t.is(error?.code, 'SHAPE_BAD');
    t.is(error?.facts['path'], path);
  });
}

test('an assignment may name no release, which means: run nothing', (t) => {
  const base = {
    kind: 'assignment/v1',
    tenant: 'main',
    device: 'dev-a',
    epoch: 0,
    generation: 1,
    release: null,
    issuedAt: '2026-01-31T12:00:00Z',
  };
  t.deepEqual(assignment(base, 'assignment') as unknown, base);
  t.throws(() => assignment({ ...base, generation: 0 }, 'assignment'), { instanceOf: CodedError });
  t.throws(() => assignment({ ...base, release: { digest } }, 'assignment'), {
    instanceOf: CodedError,
  });
});

test('what a device reports is bounded', (t) => {
  const state = {
    bootId: 'b',
    seq: 1,
    epoch: 0,
    observedGeneration: 1,
    release: digest,
    good: null,
    conditions: [],
    workloads: [],
    at: '2026-01-31T12:00:00.123Z',
  };
  t.notThrows(() => reported(state, 'reported'));
  const many = Array.from({ length: 65 }, () => ({}));
  t.throws(() => reported({ ...state, workloads: many }, 'reported'), { message: /at most 64/ });
});

test('the pre-authentication encoding is that of the DSSE specification', (t) => {
  const bytes = preAuthEncoding(
    'http://example.com/HelloWorld',
    new TextEncoder().encode('hello world'),
  );
  t.is(new TextDecoder().decode(bytes), 'DSSEv1 29 http://example.com/HelloWorld 11 hello world');
});

test('the answer to an enrolment may have fields of a newer server, which are dropped', (t) => {
  const answer = {
    tenant: 'main',
    device: 'dev-a',
    certificate: 'c',
    authority: 'a',
    trust: { tenant: 'main', epoch: 0, release: [], assignment: [] },
    mqtt: { host: 'fleet.example', port: 8883 },
    registries: {},
  };
  t.deepEqual(enrolResponse({ ...answer, later: { a: 1 } }, 'answer') as unknown, answer);
  t.throws(() => enrolResponse({ ...answer, tenant: 'A' }, 'answer'), { instanceOf: CodedError });
});
