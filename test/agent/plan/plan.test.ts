// SPDX-License-Identifier: Apache-2.0
// The plan, as sentences: what is observed, and what is to be done now.

import test, { type ExecutionContext } from 'ava';
import type { Observed } from '../../../agent/plan/observed.js';
import { plan } from '../../../agent/plan/plan.js';
import { describe } from '../../../agent/plan/step.js';
import { shortOf } from '../../../protocol/name.js';
import {
  aContainer,
  aHealthcheck,
  anObserved,
  aRelease,
  aWorkload,
  held,
  idOf,
  imagesOf,
  releaseDigest,
} from '../../kit/agent-docs.js';

const webV1 = aWorkload({ healthcheck: aHealthcheck });
const webV2 = aWorkload({ healthcheck: aHealthcheck, tag: 'v2' });
const db = aWorkload({ name: 'db' });
const v1 = aRelease({ workloads: [webV1, db] });
const v2 = aRelease({ version: 'v2', counter: 2, workloads: [webV2, db] });
const d1 = releaseDigest(v1);
const d2 = releaseDigest(v2);
const both = [held(v1), held(v2)];

function says(t: ExecutionContext, observed: Partial<Observed>, sentences: string[]): void {
  const steps = plan(anObserved(observed));
  t.deepEqual(steps.map(describe), sentences);
  t.deepEqual(JSON.parse(JSON.stringify(steps)), steps, 'a plan is JSON');
}

const runningV1: Partial<Observed> = {
  desired: { generation: 1, release: d1 },
  releases: both,
  good: d1,
  images: imagesOf(v1),
  containers: [aContainer(webV1, { health: 'healthy' }), aContainer(db)],
};

test('A device that was never asked anything does nothing', (t) => {
  says(t, {}, []);
  says(t, { containers: [aContainer(webV1)] }, []);
});

test('A desired release without its document is waited for, and what is good goes on', (t) => {
  const wait = 'wait: the document of the release has not arrived';
  says(t, { desired: { generation: 1, release: d1 } }, [wait]);
  const lost = [aContainer(webV1, null), aContainer(db)];
  says(
    t,
    {
      ...runningV1,
      releases: [held(v1)],
      desired: { generation: 2, release: d2 },
      containers: lost,
    },
    [`start ${idOf(webV1)}`, wait],
  );
});

test('Images are pulled one after the other before anything else is touched', (t) => {
  const asked = { desired: { generation: 1, release: d1 }, releases: both };
  says(t, asked, [`pull registry.test/web:v1 (${shortOf(webV1.image.digest)})`]);
  says(t, { ...asked, images: imagesOf(aRelease({ workloads: [webV1] })) }, [
    `pull registry.test/db:v1 (${shortOf(db.image.digest)})`,
  ]);
});

test('An image that failed waits its time, the others are pulled meanwhile', (t) => {
  const backoffs = [
    {
      subject: webV1.image.digest,
      code: 'NO_SPACE' as const,
      message: 'the disk is full',
      attempts: 1,
      notBeforeMs: 101_000,
    },
  ];
  const asked = { desired: { generation: 1, release: d1 }, releases: both, backoffs };
  says(t, asked, [`pull registry.test/db:v1 (${shortOf(db.image.digest)})`]);
  says(t, { ...asked, images: imagesOf(aRelease({ workloads: [db] })) }, [
    'wait: the disk is full',
  ]);
});

test('Bundles are created when all images are there, before anything is stopped', (t) => {
  says(t, { ...runningV1, desired: { generation: 2, release: d2 }, images: imagesOf(v1, v2) }, [
    `create ${idOf(webV2)}`,
  ]);
});

test('A release is switched to as a whole and leaves the unchanged workload alone', (t) => {
  const containers = [...(runningV1.containers ?? []), aContainer(webV2, null)];
  const observed = {
    ...runningV1,
    desired: { generation: 2, release: d2 },
    images: imagesOf(v1, v2),
    containers,
  };
  says(t, observed, [`try release ${shortOf(d2)}`, `stop ${idOf(webV1)}`]);
});

test('What is new starts after what is old has stopped, in the order of depends_on', (t) => {
  const cache = aWorkload({ name: 'cache', healthcheck: aHealthcheck });
  const job = aWorkload({ name: 'job', restart: { policy: 'no', retryCountMax: 0 } });
  const front = aWorkload({
    name: 'front',
    dependsOn: {
      cache: 'service_healthy',
      job: 'service_completed_successfully',
      db: 'service_started',
    },
  });
  const release = aRelease({ workloads: [front, cache, job, db] });
  const digest = releaseDigest(release);
  const trial = { release: digest, switchedAtMs: 99_000, wellSinceMs: null, baseline: [] };
  const base = {
    desired: { generation: 1, release: digest },
    releases: [held(release)],
    trial,
    images: imagesOf(release),
  };
  const made = (...own: ReturnType<typeof aContainer>[]): Partial<Observed> => ({
    ...base,
    containers: own,
  });
  says(
    t,
    made(
      aContainer(front, null),
      aContainer(cache, null),
      aContainer(job, null),
      aContainer(db, null),
    ),
    [
      `start ${idOf(cache)}`,
      `start ${idOf(job)}`,
      `start ${idOf(db)}`,
      'wait: front waits for cache',
    ],
  );
  says(
    t,
    made(
      aContainer(front, null),
      aContainer(cache, { health: 'healthy' }),
      aContainer(job),
      aContainer(db),
    ),
    ['wait: front waits for job', 'wait: front is not started'],
  );
  const exited = {
    state: 'exited' as const,
    exit: { code: 0, oomKilled: false, at: '2026-01-01T00:00:00Z' },
  };
  says(
    t,
    made(
      aContainer(front, null),
      aContainer(cache, { health: 'healthy' }),
      aContainer(job, exited),
      aContainer(db),
    ),
    [`start ${idOf(front)}`],
  );
});

test('Containers stop in the reverse of the order in which they start', (t) => {
  const front = aWorkload({ name: 'front', dependsOn: { db: 'service_started' } });
  const release = aRelease({ workloads: [front, db] });
  const observed = {
    desired: { generation: 2, release: null },
    releases: [held(release)],
    good: releaseDigest(release),
    containers: [aContainer(db), aContainer(front)],
  };
  says(t, observed, [`stop ${idOf(front)}`, `stop ${idOf(db)}`]);
});

const trialV2: Partial<Observed> = {
  ...runningV1,
  desired: { generation: 2, release: d2 },
  images: imagesOf(v1, v2),
  trial: { release: d2, switchedAtMs: 90_000, wellSinceMs: null, baseline: [] },
  containers: [aContainer(webV1, null), aContainer(webV2, { health: 'healthy' }), aContainer(db)],
};

test('The gate: well, then the bake, then the commit; the old bundle stays until then', (t) => {
  says(t, trialV2, [`release ${shortOf(d2)} is well, bake`]);
  const trial = { release: d2, switchedAtMs: 90_000, wellSinceMs: 96_000, baseline: [] };
  says(t, { ...trialV2, trial }, ['wait: all is well, bake']);
  says(t, { ...trialV2, trial, nowMs: 101_000 }, [`commit release ${shortOf(d2)}`]);
  says(t, { ...trialV2, trial: null, good: d2 }, [`remove ${idOf(webV1)}`]);
});

test('The gate: what was well and no longer is bakes again', (t) => {
  const containers = [
    aContainer(webV1, null),
    aContainer(webV2, { health: 'starting' }),
    aContainer(db),
  ];
  const trial = { release: d2, switchedAtMs: 90_000, wellSinceMs: 96_000, baseline: [] };
  says(t, { ...trialV2, trial, containers }, [`release ${shortOf(d2)} is not well, bake again`]);
});

const exit = (
  code: number,
  oomKilled = false,
): { code: number; oomKilled: boolean; at: string } => ({
  code,
  oomKilled,
  at: '2026-01-01T00:00:00Z',
});

for (const [what, status, code] of [
  ['an unhealthy workload', { health: 'unhealthy' }, 'GATE_UNHEALTHY'],
  ['a workload that ended', { state: 'exited', exit: exit(3) }, 'GATE_EXITED'],
  ['a workload that was restarted', { restartCount: 1, exit: exit(1) }, 'GATE_RESTARTED'],
  ['a workload killed for its memory', { restartCount: 1, exit: exit(137, true) }, 'GATE_OOM'],
  [
    'a workload that cannot start',
    { state: 'failed', error: { code: 'BOX_EXEC', message: 'no such program' } },
    'BOX_EXEC',
  ],
] as const) {
  test(`The gate fails by ${what}: ${code}`, (t) => {
    const containers = [aContainer(webV1, null), aContainer(webV2, status), aContainer(db)];
    says(t, { ...trialV2, containers }, [`fail release ${shortOf(d2)}: ${code}`]);
  });
}

test('The gate fails when its deadline passes', (t) => {
  const containers = [
    aContainer(webV1, null),
    aContainer(webV2, { health: 'starting' }),
    aContainer(db),
  ];
  says(t, { ...trialV2, containers }, ['wait: web has not passed its health check yet']);
  says(t, { ...trialV2, containers, nowMs: 150_000 }, [
    `fail release ${shortOf(d2)}: GATE_DEADLINE`,
  ]);
});

test('Restarts from before the switch are not counted against the new release', (t) => {
  const containers = [
    aContainer(webV1, null),
    aContainer(webV2, { health: 'healthy' }),
    aContainer(db, { restartCount: 7, exit: exit(1) }),
  ];
  const baseline = [{ container: idOf(db), restartCount: 7 }];
  const trial = { release: d2, switchedAtMs: 90_000, wellSinceMs: null, baseline };
  says(t, { ...trialV2, containers, trial }, [`release ${shortOf(d2)} is well, bake`]);
});

test('A workload that has done its work is well', (t) => {
  const job = aWorkload({ name: 'job', restart: { policy: 'no', retryCountMax: 0 } });
  const release = aRelease({ workloads: [job] });
  const digest = releaseDigest(release);
  const observed = {
    desired: { generation: 1, release: digest },
    releases: [held(release)],
    images: imagesOf(release),
    trial: { release: digest, switchedAtMs: 99_000, wellSinceMs: null, baseline: [] },
  };
  const done = aContainer(job, { state: 'exited', exit: exit(0) });
  says(t, { ...observed, containers: [done] }, [`release ${shortOf(digest)} is well, bake`]);
  const sick = aContainer(job, { state: 'exited', exit: exit(1) });
  says(t, { ...observed, containers: [sick] }, [`fail release ${shortOf(digest)}: GATE_EXITED`]);
});

test('After a failure the device goes whole back to the good release and says so once', (t) => {
  const failed = { release: d2, code: 'GATE_UNHEALTHY', message: 'sick', returned: false } as const;
  const observed = { ...trialV2, trial: null, failed: [failed] };
  says(t, observed, [`stop ${idOf(webV2)}`]);
  const stopped = [aContainer(webV1, null), aContainer(webV2, null), aContainer(db)];
  says(t, { ...observed, containers: stopped }, [`start ${idOf(webV1)}`]);
  const back = [aContainer(webV1), aContainer(webV2, null), aContainer(db)];
  says(t, { ...observed, containers: back }, [`back on release ${shortOf(d1)}`]);
  const said = { ...observed, containers: back, failed: [{ ...failed, returned: true }] };
  says(t, said, [`remove ${idOf(webV2)}`]);
  says(t, { ...said, containers: back.filter(({ id }) => id !== idOf(webV2)) }, []);
});

test('A first release that fails leaves nothing running', (t) => {
  const failed = { release: d1, code: 'GATE_EXITED', message: 'x', returned: false } as const;
  const observed = { ...runningV1, good: null, failed: [failed] };
  says(t, observed, [`stop ${idOf(db)}`, `stop ${idOf(webV1)}`]);
});

test('After a reboot the good release starts again at once and its gate is not run again', (t) => {
  const containers = [aContainer(webV1, null), aContainer(db, null)];
  says(t, { ...runningV1, containers }, [`start ${idOf(webV1)}`, `start ${idOf(db)}`]);
});

test('After a reboot a good workload starts also behind a dependency that is sick now', (t) => {
  const front = aWorkload({ name: 'front', dependsOn: { web: 'service_healthy' } });
  const release = aRelease({ workloads: [webV1, front] });
  const observed = {
    desired: { generation: 1, release: releaseDigest(release) },
    releases: [held(release)],
    good: releaseDigest(release),
    images: imagesOf(release),
  };
  const waits = [aContainer(webV1, { health: 'starting' }), aContainer(front, null)];
  says(t, { ...observed, containers: waits }, ['wait: front waits for web']);
  const sick = [aContainer(webV1, { health: 'unhealthy' }), aContainer(front, null)];
  says(t, { ...observed, containers: sick }, [`start ${idOf(front)}`]);
});

test('A good container that its keeper gave up on is stopped, to be started again later', (t) => {
  const containers = [aContainer(webV1, { state: 'failed' }), aContainer(db)];
  says(t, { ...runningV1, containers }, [`stop ${idOf(webV1)}`]);
  t.like(plan(anObserved({ ...runningV1, containers }))[0], { because: { code: 'GATE_FAILED' } });
});

test('A converged device has nothing to do', (t) => {
  says(t, runningV1, []);
});

test('A newer desired is prepared while the one on trial goes on, and takes its place', (t) => {
  const webV3 = aWorkload({ healthcheck: aHealthcheck, tag: 'v3' });
  const v3 = aRelease({ version: 'v3', counter: 3, workloads: [webV3, db] });
  const d3 = releaseDigest(v3);
  const newer = {
    ...trialV2,
    releases: [...both, held(v3)],
    desired: { generation: 3, release: d3 },
    containers: [
      aContainer(webV1, null),
      aContainer(webV2, { health: 'starting' }),
      aContainer(db),
    ],
  };
  says(t, newer, [
    'wait: web has not passed its health check yet',
    `pull registry.test/web:v3 (${shortOf(webV3.image.digest)})`,
  ]);
  const ready = {
    ...newer,
    images: imagesOf(v1, v2, v3),
    containers: [...newer.containers, aContainer(webV3, null)],
  };
  says(t, ready, [`try release ${shortOf(d3)}`, `stop ${idOf(webV2)}`]);
});

test('An image that can never be had fails the release and nothing was touched', (t) => {
  const backoffs = [
    {
      subject: webV2.image.digest,
      code: 'IMAGE_PLATFORM' as const,
      message: 'no linux/arm64',
      attempts: 1,
      notBeforeMs: 101_000,
    },
  ];
  says(t, { ...runningV1, desired: { generation: 2, release: d2 }, backoffs }, [
    `fail release ${shortOf(d2)}: IMAGE_PLATFORM`,
  ]);
});

test('Asked to run nothing, the device stops, removes and forgets what was good', (t) => {
  const nothing = { ...runningV1, desired: { generation: 2, release: null } };
  says(t, nothing, [`stop ${idOf(db)}`, `stop ${idOf(webV1)}`]);
  says(t, { ...nothing, containers: [aContainer(db, null)] }, [`remove ${idOf(db)}`]);
  says(t, { ...nothing, containers: [] }, ['run nothing']);
  says(t, { ...nothing, containers: [], good: null }, []);
});

test('Spare images go oldest first beyond the kept count, and all of them when the disk is low', (t) => {
  const old = ['v7', 'v8', 'v9'].map((tag) => aRelease({ workloads: [aWorkload({ tag })] }));
  const images = [...imagesOf(...old), ...imagesOf(v1)];
  const oldest = old.map(({ workloads }) => shortOf(workloads[0]?.image.digest ?? d1));
  says(t, { ...runningV1, images }, [`prune ${oldest[0]}`]);
  says(
    t,
    { ...runningV1, images, diskFreeBytes: 1000 },
    oldest.map((digest) => `prune ${digest}`),
  );
});

test('Room is made before a pull when the disk is low', (t) => {
  const spare = aRelease({ workloads: [aWorkload({ tag: 'v9' })] });
  const images = [...imagesOf(spare), ...imagesOf(v1)];
  const gone = shortOf(spare.workloads[0]?.image.digest ?? d1);
  says(t, { ...runningV1, images, diskFreeBytes: 1000, desired: { generation: 2, release: d2 } }, [
    `prune ${gone}`,
    `pull registry.test/web:v2 (${shortOf(webV2.image.digest)})`,
  ]);
});
