// SPDX-License-Identifier: Apache-2.0
// A rollout read as a story: facts in, steps out, in a person's words.

import test from 'ava';
import { describe, type RolloutFacts } from '../../../fleet/rollout/facts.js';
import { waveState } from '../../../fleet/rollout/gate.js';
import { rollout } from '../../../fleet/rollout/rollout.js';
import { after, aRollout, withDevice } from '../../kit/fleet-rollout.js';

const steps = (facts: RolloutFacts): string[] => rollout(facts).map(describe);

/** Does everything that can be done now. */
function settle(facts: RolloutFacts): RolloutFacts {
  let next = facts;
  for (let round = 0; round < 50; round += 1) {
    const doable = rollout(next).filter(({ kind }) => kind !== 'wait');
    if (doable.length === 0) return next;
    next = doable.reduce(after, next);
  }
  throw new Error('it does not settle');
}

const good = (facts: RolloutFacts, device: string): RolloutFacts =>
  withDevice(facts, device, { outcome: 'good', goodAtMs: facts.nowMs });

const at = (facts: RolloutFacts, nowMs: number): RolloutFacts => ({ ...facts, nowMs });

test('the canary first, then it bakes, then the next wave, then the end', (t) => {
  let facts = aRollout([['a'], ['b', 'c']]);
  t.deepEqual(steps(facts), ['open wave 0']);
  facts = settle(facts);
  t.deepEqual(steps(facts), ['wait until 1000']);
  facts = good(at(facts, 50), 'a');
  t.deepEqual(steps(facts), ['wait until 150']);
  t.is(waveState(facts, 0), 'baking');
  t.is(waveState(facts, 1), 'pending');
  facts = at(facts, 150);
  t.deepEqual(steps(facts), ['pass wave 0']);
  facts = after(facts, { kind: 'passWave', wave: 0 });
  t.deepEqual(steps(facts), ['open wave 1']);
  facts = after(facts, { kind: 'openWave', wave: 1 });
  t.deepEqual(steps(facts), ['assign b (wave 1)', 'assign c (wave 1)', 'wait for reports']);
  facts = at(good(good(settle(facts), 'b'), 'c'), 400);
  t.deepEqual(steps(facts), ['pass wave 1']);
  facts = settle(facts);
  t.is(facts.state, 'succeeded');
  t.deepEqual(steps(facts), []);
});

test('a canary that fails by the release stops everything, with its own code as the reason', (t) => {
  const facts = withDevice(settle(aRollout([['a'], ['b']])), 'a', {
    outcome: 'failed',
    code: 'BOX_EXEC',
    message: 'web: no such program',
  });
  t.deepEqual(steps(facts), [
    'fail: ROLLOUT_GATE: device a failed in wave 0: BOX_EXEC: web: no such program',
  ]);
  const [step] = rollout(facts);
  t.deepEqual(step?.kind === 'fail' && step.facts, { device: 'a', cause: 'BOX_EXEC', wave: 0 });
  t.deepEqual(steps(settle(facts)), []);
});

test('a device of a passed wave that gets sick stops the wave that is open', (t) => {
  let facts = settle(at(good(settle(aRollout([['a'], ['b']])), 'a'), 200));
  t.is(waveState(facts, 1), 'offering');
  facts = withDevice(facts, 'a', { outcome: 'failed', code: 'ROLLOUT_UNWELL' });
  t.deepEqual(steps(facts), ['fail: ROLLOUT_GATE: device a failed in wave 1: ROLLOUT_UNWELL']);
});

test('a failure during the bake counts: good once is not good', (t) => {
  const facts = withDevice(good(settle(aRollout([['a'], ['b']])), 'a'), 'a', {
    outcome: 'failed',
    code: 'ROLLOUT_UNWELL',
  });
  t.regex(steps(facts)[0] ?? '', /^fail: ROLLOUT_GATE/);
});

test('silence past the deadline has failed; before it, it is waited for', (t) => {
  const facts = settle(aRollout([['a'], ['b']]));
  t.deepEqual(steps(at(facts, 999)), ['wait until 1000']);
  t.deepEqual(steps(at(facts, 1000)), [
    'fail: ROLLOUT_GATE: device a failed in wave 0: ROLLOUT_SILENT: nothing final was heard within 1 s',
  ]);
});

test('trouble by the network does not fail the release: past the deadline it pauses', (t) => {
  const facts = withDevice(settle(aRollout([['a'], ['b']])), 'a', { code: 'LINK_DOWN' });
  t.deepEqual(steps(at(facts, 500)), ['wait until 1000']);
  t.deepEqual(steps(at(facts, 1000)), [
    'pause: ROLLOUT_UNSURE: device a still fails with LINK_DOWN',
  ]);
});

test('resumed, the deadline begins anew', (t) => {
  const facts = withDevice(settle(aRollout([['a'], ['b']])), 'a', { code: 'LINK_DOWN' });
  t.deepEqual(steps({ ...at(facts, 1500), resumedAtMs: 1400 }), ['wait until 2400']);
});

test('a wave whose devices all left is unknown, never success; an operator may go on', (t) => {
  const facts = withDevice(settle(aRollout([['a'], ['b']])), 'a', { outcome: 'excluded' });
  t.regex(steps(facts)[0] ?? '', /^pause: ROLLOUT_UNSURE: all devices of the wave have left/);
  t.deepEqual(steps({ ...facts, resumedAtMs: 10 }), ['pass wave 0']);
});

test('devices that left do not hold up the others', (t) => {
  const facts = withDevice(settle(aRollout([['a', 'b']])), 'a', { outcome: 'excluded' });
  t.deepEqual(steps(at(good(facts, 'b'), 100)), ['pass wave 0']);
});

test('no more are under way than allowed, lowest rank first', (t) => {
  const facts = aRollout([['a', 'b', 'c']], { inFlightMax: 2 });
  const opened = after(facts, { kind: 'openWave', wave: 0 });
  t.deepEqual(steps(opened), ['assign a (wave 0)', 'assign b (wave 0)', 'wait for reports']);
  t.deepEqual(steps(good(settle(opened), 'a')), ['assign c (wave 0)', 'wait until 1000']);
});

test('paused, aborted and failed rollouts do nothing', (t) => {
  for (const state of ['paused', 'aborted', 'failed', 'succeeded'] as const) {
    t.deepEqual(steps(aRollout([['a']], { state })), []);
  }
});
