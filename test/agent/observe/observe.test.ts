// SPDX-License-Identifier: Apache-2.0
// The picture: gathered from a real store and a run, and plain JSON. And the spec digest, which decides what
// is touched by a new release.

import test from 'ava';
import { systemClock } from '../../../adapters/clock.js';
import { observe } from '../../../agent/observe/observe.js';
import { specOf } from '../../../agent/observe/spec.js';
import { strictPolicy } from '../../../agent/plan/observed.js';
import type { Workload } from '../../../protocol/release.js';
import { envelope } from '../../kit/agent-device.js';
import {
  anAssignment,
  aRelease,
  aWorkload,
  digestFor,
  releaseDigest,
} from '../../kit/agent-docs.js';
import { aRun } from '../../kit/agent-fakes.js';
import { aStore, putImage } from '../../kit/agent-store.js';

test('The picture has what the store and the keepers say, and is JSON', async (t) => {
  const { store } = await aStore(t);
  const release = aRelease();
  const digest = releaseDigest(release);
  await store.desired.accept(anAssignment({ generation: 3 }), envelope);
  await store.desired.putRelease(digest, release, envelope);
  await store.verdicts.commit(digest);
  await store.verdicts.fail(digestFor('bad'), 'CODE_OF_A_NEWER_AGENT', 'why');
  const image = await putImage(store, 'web:v1');
  const policy = strictPolicy;
  const observed = await observe({
    store,
    run: aRun(),
    clock: systemClock,
    policy,
    diskLowBytes: 5,
  });
  t.like(observed, { desired: { generation: 3, release: digest }, good: digest, trial: null });
  t.deepEqual(observed.releases, [
    { digest, release, specs: release.workloads.map((one) => specOf(one)) },
  ]);
  t.like(observed.failed[0], { code: 'BUG', message: 'why', returned: false });
  t.is(observed.images[0]?.digest, image);
  t.true(observed.diskFreeBytes > 0);
  t.deepEqual(JSON.parse(JSON.stringify(observed)), observed);
});

test('A device that was never asked has a picture too', async (t) => {
  const { store } = await aStore(t);
  const policy = strictPolicy;
  const observed = await observe({
    store,
    run: aRun(),
    clock: systemClock,
    policy,
    diskLowBytes: 0,
  });
  t.is(observed.desired, undefined);
  t.deepEqual(observed.containers, []);
});

test('The order of fields, the tag beside the digest and the start order do not make another container', (t) => {
  const workload = aWorkload({ environment: { A: '1', B: '2' } });
  const turned = Object.fromEntries(Object.entries(workload).reverse()) as Workload;
  t.is(specOf(turned), specOf(workload));
  t.is(specOf({ ...workload, environment: { B: '2', A: '1' } }), specOf(workload));
  const image = { ...workload.image, reference: 'registry.test/web:other' };
  t.is(specOf({ ...workload, image }), specOf(workload));
  t.is(specOf({ ...workload, dependsOn: { db: 'service_started' } }), specOf(workload));
});

test('Everything else makes another container', (t) => {
  const workload = aWorkload();
  const changes: Array<Partial<Workload>> = [
    { image: { ...workload.image, digest: digestFor('other') } },
    { command: [] },
    { command: ['a', 'b'] },
    { environment: { A: '1' } },
    { resources: { memoryMaxBytes: 1_000_000 } },
    { stopGraceMs: 2000 },
    { readOnly: true },
    { labels: { a: 'b' } },
    { name: 'other' },
  ];
  const specs = changes.map((change) => specOf({ ...workload, ...change }));
  t.is(new Set([specOf(workload), ...specs]).size, changes.length + 1);
});
