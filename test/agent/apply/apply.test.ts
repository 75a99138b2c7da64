// SPDX-License-Identifier: Apache-2.0
// Each executor, twice: after a power cut inside a step the same step is done again, and nothing is different.

import test, { type ExecutionContext } from 'ava';
import { systemClock } from '../../../adapters/clock.js';
import { applyStep, settleCutOff, subjectOf } from '../../../agent/apply/apply.js';
import { backoffMsMax, nextBackoff } from '../../../agent/apply/backoff.js';
import type { ApplyContext } from '../../../agent/apply/context.js';
import { specOf } from '../../../agent/observe/spec.js';
import type { Step, StepKind } from '../../../agent/plan/step.js';
import { CodedError } from '../../../protocol/error.js';
import { envelope, eventOfIn } from '../../kit/agent-device.js';
import { aRelease, aWorkload, digestFor, idOf, releaseDigest } from '../../kit/agent-docs.js';
import { aPull, aRun, type FakePull, type FakeRun, imageConfig } from '../../kit/agent-fakes.js';
import { aStore, putImage, quiet } from '../../kit/agent-store.js';

type Given = ApplyContext & { run: FakeRun; pull: FakePull };

async function aContext(t: ExecutionContext): Promise<Given> {
  const { store } = await aStore(t);
  return {
    store,
    run: aRun(),
    pull: aPull(store),
    clock: systemClock,
    log: quiet,
    configOf: async () => imageConfig,
    eventOf: eventOfIn(store),
    onProgress: () => undefined,
    signal: new AbortController().signal,
  };
}

const web = aWorkload();
const id = idOf(web);
const release = aRelease();
const digest = releaseDigest(release);
const image = web.image.digest;
const because = { code: 'GATE_FAILED', message: 'x' } as const;
const made: Step = {
  kind: 'create',
  container: id,
  workload: web,
  spec: specOf(web),
  release: digest,
};

/** Each kind with what must have been done before it. */
const steps: { [K in StepKind]: { before: Step[]; step: Extract<Step, { kind: K }> } } = {
  pull: { before: [], step: { kind: 'pull', image, reference: web.image.reference } },
  create: { before: [], step: made },
  start: { before: [made], step: { kind: 'start', container: id, workload: 'web' } },
  stop: { before: [made], step: { kind: 'stop', container: id, workload: 'web', graceMs: 0 } },
  remove: { before: [made], step: { kind: 'remove', container: id } },
  try: { before: [], step: { kind: 'try', release: digest, from: null, baseline: [] } },
  well: {
    before: [{ kind: 'try', release: digest, from: null, baseline: [] }],
    step: { kind: 'well', release: digest },
  },
  unwell: {
    before: [{ kind: 'try', release: digest, from: null, baseline: [] }],
    step: { kind: 'unwell', release: digest },
  },
  commit: { before: [], step: { kind: 'commit', release: digest } },
  fail: { before: [], step: { kind: 'fail', release: digest, ...because } },
  refuse: { before: [], step: { kind: 'refuse', release: digest, ...because } },
  back: {
    before: [{ kind: 'fail', release: digest, ...because }],
    step: { kind: 'back', release: digestFor('good'), failed: digest, ...because },
  },
  empty: { before: [], step: { kind: 'empty', release: null } },
  prune: { before: [], step: { kind: 'prune', image: digestFor('spare') } },
  wait: { before: [], step: { kind: 'wait', ...because, untilMs: null } },
};

/** All that a step may change, without sequence numbers and times. */
async function stateOf({ store, run }: Given): Promise<unknown> {
  const trial = await store.verdicts.trial();
  return {
    good: await store.verdicts.good(),
    trial: trial && {
      ...trial,
      switchedAtMs: 0,
      wellSinceMs: trial.wellSinceMs === null ? null : 0,
    },
    failed: await store.verdicts.failed(),
    images: (await store.images.list()).map((one) => one.digest),
    releases: (await store.desired.releases()).map((one) => one.digest),
    containers: await run.list(),
    backoffs: (await store.journal.backoffs()).length,
  };
}

for (const [kind, { before, step }] of Object.entries(steps)) {
  test(`Step ${kind} can be done twice: the second time changes nothing`, async (t) => {
    const context = await aContext(t);
    await context.store.desired.putRelease(digest, release, envelope);
    await putImage(context.store, 'spare');
    if (kind !== 'pull') await putImage(context.store, 'web:v1');
    for (const earlier of before) await applyStep(earlier, context);
    const untouched = await stateOf(context);
    await applyStep(step, context);
    const once = await stateOf(context);
    await applyStep(step, context);
    t.deepEqual(await stateOf(context), once);
    const changesNothing = ['wait', 'empty', 'unwell', 'stop'].includes(kind);
    if (!changesNothing) t.notDeepEqual(once, untouched, 'the first time did something');
  });
}

test('A failed step is written down, sets a backoff and is thrown on', async (t) => {
  const context = await aContext(t);
  context.pull.failures.push(new CodedError('NO_SPACE', 'the disk is full'));
  const { step } = steps.pull;
  await t.throwsAsync(applyStep(step, context), { code: 'NO_SPACE' } as never);
  const [backoff] = await context.store.journal.backoffs();
  t.like(backoff, { subject: subjectOf(step), code: 'NO_SPACE', attempts: 1 });
  t.like((await context.store.journal.recent(1))[0], { type: 'pull', code: 'NO_SPACE' });
  await applyStep(step, context);
  t.deepEqual(await context.store.journal.backoffs(), [], 'success clears it');
});

test('attack: a pull that ends the agent each time is tried later and later, not at once for ever', async (t) => {
  const context = await aContext(t);
  const { journal } = context.store;
  const delays: number[] = [];
  for (let start = 0; start < 4; start += 1) {
    await journal.begin('pull', image); // and the process is gone
    await settleCutOff(context);
    const [backoff] = await journal.backoffs();
    t.like(backoff, { subject: image, code: 'AGENT_CUT_OFF', attempts: start + 1 });
    delays.push((backoff?.notBeforeMs ?? 0) - systemClock.monotonicMs());
  }
  t.true((delays[3] ?? 0) > 3000 && (delays[0] ?? 0) < 1500, String(delays));
  t.deepEqual(await journal.begun(), []);
  await settleCutOff(context);
  t.is((await journal.backoffs())[0]?.attempts, 4);
  await applyStep(steps.pull.step, context);
  t.deepEqual(await journal.backoffs(), [], 'success clears it');
});

test('A step that was given up sets no backoff', async (t) => {
  const context = await aContext(t);
  context.pull.endless.add(image);
  const abort = new AbortController();
  const given = applyStep(steps.pull.step, { ...context, signal: abort.signal });
  setTimeout(() => abort.abort(new CodedError('CLOSED', 'newer')), 20);
  await t.throwsAsync(given, { code: 'CLOSED' } as never);
  t.deepEqual(await context.store.journal.backoffs(), []);
});

test('A container whose image lost a layer makes the image be pulled again', async (t) => {
  const context = await aContext(t);
  await t.throwsAsync(applyStep(made, context), { code: 'STORE_CORRUPT' } as never);
});

test('A stop with a reason puts the next start off, longer each time', async (t) => {
  const context = await aContext(t);
  const step: Step = { kind: 'stop', container: id, workload: 'web', graceMs: 0, because };
  const delays: number[] = [];
  for (let at = 0; at < 3; at += 1) {
    const fromMs = systemClock.monotonicMs();
    await applyStep(step, context);
    const [backoff] = await context.store.journal.backoffs();
    delays.push((backoff?.notBeforeMs ?? 0) - fromMs);
  }
  t.true((delays[0] ?? 0) > 500 && (delays[1] ?? 0) > (delays[0] ?? 0), String(delays));
  t.true((delays[2] ?? 0) > (delays[1] ?? 0), String(delays));
});

test('Backoffs double up to a bound, spread by chance, and are forgotten after a quiet time', (t) => {
  const failure = { subject: 'x', code: 'NO_SPACE', message: '' } as const;
  let backoff = nextBackoff(undefined, failure, 0, 0.5);
  t.is(backoff.notBeforeMs, 1000);
  for (let at = 0; at < 30; at += 1) backoff = nextBackoff(backoff, failure, 0, 0.5);
  t.is(backoff.notBeforeMs, backoffMsMax);
  t.is(nextBackoff(backoff, failure, 0, 0).notBeforeMs, backoffMsMax * 0.75);
  t.is(nextBackoff(backoff, failure, 1e9, 0.5).attempts, 1);
  t.true(nextBackoff(backoff, { ...failure, code: 'CLOSED' }, 0, 1).notBeforeMs <= 12_500);
});
