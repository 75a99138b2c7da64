// SPDX-License-Identifier: Apache-2.0
// What a device says of itself.

import test from 'ava';
import type { Observed } from '../../../agent/plan/observed.js';
import { plan } from '../../../agent/plan/plan.js';
import { isWorthKeeping, reportedOf, saysTheSame } from '../../../agent/report/reported.js';
import { whyOf } from '../../../agent/report/status.js';
import { type Condition, type Reported, reported } from '../../../protocol/device.js';
import {
  aContainer,
  anObserved,
  aRelease,
  aWorkload,
  held,
  imagesOf,
  releaseDigest,
} from '../../kit/agent-docs.js';

const web = aWorkload();
const webV2 = aWorkload({ tag: 'v2' });
const v1 = aRelease({ workloads: [web] });
const v2 = aRelease({ version: 'v2', counter: 2, workloads: [webV2] });
const d1 = releaseDigest(v1);
const d2 = releaseDigest(v2);

const converged = anObserved({
  desired: { generation: 3, release: d1 },
  releases: [held(v1), held(v2)],
  good: d1,
  images: imagesOf(v1),
  containers: [aContainer(web)],
});

function say(
  changed: Partial<Observed> = {},
  before?: Reported,
  at = '2026-01-01T00:00:00Z',
): Reported {
  const observed = { ...converged, ...changed };
  const said = reportedOf({
    observed,
    steps: plan(observed),
    epoch: 1,
    percent: undefined,
    linked: { status: 'True' },
    before,
    bootId: 'boot-1',
    seq: 1,
    at,
  });
  return reported(JSON.parse(JSON.stringify(said)), 'reported');
}

const word = (said: Reported, type: Condition['type']): string => {
  const found = said.conditions.find((one) => one.type === type);
  return [found?.status, found?.code].filter((part) => part !== undefined).join(' ');
};

test('A converged device says which release runs and that it is good', (t) => {
  const said = say();
  t.is(said.release, d1);
  t.is(said.good, d1);
  t.is(said.observedGeneration, 3);
  t.is(said.step, undefined);
  for (const { type, status } of said.conditions) t.is(status, 'True', type);
  t.like(said.workloads[0], { name: 'web', state: 'running', image: web.image.digest });
});

test('A device that lost what it had accepted says so in its Disk condition', (t) => {
  t.is(word(say({ isFloorLost: true }), 'Disk'), 'False STORE_FORGOT');
});

test('A device that was asked nothing says so', (t) => {
  const said = say({ desired: undefined, good: null, containers: [] });
  t.is(said.release, null);
  t.is(word(said, 'Converged'), 'Unknown');
  t.is(word(said, 'Gate'), 'Unknown');
});

test('A release on trial is what runs, and not yet good', (t) => {
  const trial = { release: d2, switchedAtMs: 1, wellSinceMs: null, baseline: [] };
  const said = say({
    desired: { generation: 4, release: d2 },
    trial,
    nowMs: 2,
    images: imagesOf(v1, v2),
    containers: [aContainer(web, null), aContainer(webV2, { state: 'starting' })],
  });
  t.is(said.release, d2);
  t.is(said.good, d1);
  t.is(word(said, 'Converged'), 'False GATE_PENDING');
  t.is(word(said, 'Gate'), 'Unknown GATE_PENDING');
  t.deepEqual(
    said.workloads.map(({ name }) => name),
    ['web'],
    'a bundle that only waits is no workload',
  );
});

test('A release that failed here is named with its reason, while the good one runs', (t) => {
  const failed = [
    { release: d2, code: 'GATE_OOM', message: 'web: too much', returned: true },
  ] as const;
  const said = say({ desired: { generation: 4, release: d2 }, failed });
  t.is(said.release, d1);
  t.like(said.failed, { release: d2, code: 'GATE_OOM' });
  t.is(word(said, 'Converged'), 'False GATE_OOM');
  t.is(word(said, 'Gate'), 'False GATE_OOM');
  t.is(say({ failed }).failed, undefined, 'it is not said of another desired');
});

test('An image that cannot be pulled is the reason, with its own code', (t) => {
  const backoffs = [
    {
      subject: webV2.image.digest,
      code: 'NO_SPACE' as const,
      message: 'the disk is full',
      attempts: 1,
      notBeforeMs: 1e9,
    },
  ];
  const said = say({ desired: { generation: 4, release: d2 }, backoffs, diskFreeBytes: 1 });
  t.is(word(said, 'Pulled'), 'False NO_SPACE');
  t.is(word(said, 'Converged'), 'False NO_SPACE');
  t.is(word(said, 'Disk'), 'False DISK_LOW');
  t.is(said.step, 'wait: the disk is full');
});

test('A condition keeps its time until it changes, and a report that says nothing new is known as such', (t) => {
  const first = say();
  const again = say({}, first, '2026-01-02T00:00:00Z');
  t.is(again.conditions[0]?.since, '2026-01-01T00:00:00Z');
  t.true(saysTheSame(first, again));
  t.false(isWorthKeeping(first, { ...again, step: 'pull x', percent: 3 }), 'progress is not kept');
  const low = say({ diskFreeBytes: 1 }, again, '2026-01-03T00:00:00Z');
  t.false(saysTheSame(again, low));
  t.true(isWorthKeeping(again, low));
  t.is(low.conditions.find(({ type }) => type === 'Disk')?.since, '2026-01-03T00:00:00Z');
});

test('Why, for a person: what runs, what was asked, and the reason', (t) => {
  t.is(whyOf(say(), converged, []).summary, 'all is as asked: shop v1 runs');
  const failed = [
    { release: d2, code: 'GATE_OOM', message: 'web: too much', returned: true },
  ] as const;
  const observed = { ...converged, failed, desired: { generation: 4, release: d2 } };
  t.is(
    whyOf(say(observed), observed, []).summary,
    'shop v1 runs, shop v2 was asked; GATE_OOM: web: too much',
  );
});
