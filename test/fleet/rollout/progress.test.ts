// SPDX-License-Identifier: Apache-2.0
// What a device's word does to its place in a rollout.

import test from 'ava';
import { type Change, fromEvent, fromReported } from '../../../fleet/rollout/progress.js';
import type { Event, Reported } from '../../../protocol/device.js';
import type { Digest } from '../../../protocol/name.js';
import { releaseDigest } from '../../kit/fleet-rollout.js';

const old: Digest = `sha256:${'0'.repeat(64)}`;
const asked = { release: releaseDigest, epoch: 1, generation: 5 };
const waiting: Change = { outcome: 'waiting', goodAtMs: null, code: null, message: null };
const isGood: Change = { ...waiting, outcome: 'good', goodAtMs: 7 };

function aReported(changed: Partial<Reported> = {}): Reported {
  return {
    bootId: 'b',
    seq: 1,
    epoch: 1,
    observedGeneration: 5,
    release: releaseDigest,
    good: releaseDigest,
    conditions: [],
    workloads: [],
    at: '2026-01-01T00:00:00Z',
    ...changed,
  };
}

function anEvent(changed: Partial<Event> = {}): Event {
  return {
    bootId: 'b',
    seq: 1,
    epoch: 1,
    generation: 5,
    release: releaseDigest,
    type: 'good',
    at: '2026-01-01T00:00:00Z',
    ...changed,
  };
}

const sick = { name: 'web', container: 'c', image: old, restartCount: 1 };

test('good is only what ran, passed its gate and is of this generation', (t) => {
  const good = { outcome: 'good', goodAtMs: 9, code: null, message: null };
  t.deepEqual(fromReported(waiting, asked, aReported(), 9), good as Change);
  t.is(fromReported(waiting, asked, aReported({ good: old }), 9), undefined);
  t.is(fromReported(waiting, asked, aReported({ release: old }), 9), undefined);
  t.is(fromReported(waiting, asked, aReported({ observedGeneration: 4 }), 9), undefined);
  t.is(fromReported(waiting, asked, aReported({ epoch: 0 }), 9), undefined);
});

test('a failure keeps the device’s own code and words', (t) => {
  const failed = { release: releaseDigest, code: 'RUN_UNHEALTHY', message: 'web is sick' };
  const reported = aReported({ release: old, good: old, failed });
  const change = { ...waiting, outcome: 'failed', code: 'RUN_UNHEALTHY', message: 'web is sick' };
  t.deepEqual(fromReported(waiting, asked, reported, 9), change as Change);
  t.deepEqual(fromReported(isGood, asked, reported, 9), { ...change, goodAtMs: 7 } as Change);
});

test('a failure of another release says nothing about this one', (t) => {
  const failed = { release: old, code: 'RUN_UNHEALTHY', message: '' };
  t.is(fromReported(waiting, asked, aReported({ good: old, failed }), 9), undefined);
});

test('a workload that gets sick after good is a failure', (t) => {
  const reported = aReported({ workloads: [{ ...sick, state: 'running', health: 'unhealthy' }] });
  t.is(fromReported(isGood, asked, reported, 9)?.code, 'ROLLOUT_UNWELL');
  t.is(fromReported(isGood, asked, aReported(), 9), undefined);
});

test('trouble with the network is shown and goes away again', (t) => {
  const at = '2026-01-01T00:00:00Z';
  const conditions: Reported['conditions'] = [
    { type: 'Pulled', status: 'False', code: 'LINK_DOWN', since: at },
  ];
  const troubled = { ...waiting, code: 'LINK_DOWN' };
  t.deepEqual(fromReported(waiting, asked, aReported({ good: old, conditions }), 9), troubled);
  t.deepEqual(fromReported(troubled, asked, aReported({ good: old }), 9), waiting);
});

test('events: good, failed, refused; by the network only trouble; foreign ones nothing', (t) => {
  t.is(fromEvent(waiting, asked, anEvent(), 9)?.outcome, 'good');
  t.is(
    fromEvent(waiting, asked, anEvent({ type: 'refused', code: 'SIGN_INVALID' }), 9)?.outcome,
    'failed',
  );
  t.is(
    fromEvent(waiting, asked, anEvent({ type: 'failed', code: 'LINK_DOWN' }), 9)?.outcome,
    'waiting',
  );
  t.is(
    fromEvent(waiting, asked, anEvent({ type: 'failed', code: 'NEWER_CODE' }), 9)?.outcome,
    'failed',
  );
  t.is(fromEvent(waiting, asked, anEvent({ release: old }), 9), undefined);
  t.is(fromEvent(waiting, asked, anEvent({ generation: 4 }), 9), undefined);
  t.is(fromEvent(waiting, asked, anEvent({ type: 'pulling' }), 9), undefined);
});

test('who was excluded stays so', (t) => {
  const excluded: Change = { ...waiting, outcome: 'excluded' };
  t.is(fromReported(excluded, asked, aReported(), 9), undefined);
  t.is(fromEvent(excluded, asked, anEvent(), 9), undefined);
});
