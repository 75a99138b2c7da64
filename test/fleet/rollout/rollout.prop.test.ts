// SPDX-License-Identifier: Apache-2.0
// What holds for every rollout, whatever devices do and in whatever order.

import test from 'ava';
import fc from 'fast-check';
import type { RolloutFacts, RolloutStep } from '../../../fleet/rollout/facts.js';
import { rollout } from '../../../fleet/rollout/rollout.js';
import { planWaves, type WaveSize } from '../../../fleet/rollout/waves.js';
import { after, aRollout, withDevice } from '../../kit/fleet-rollout.js';

type Move =
  | { kind: 'time'; ms: number }
  | { kind: 'device'; at: number; does: 'good' | 'failed' | 'network' | 'leaves' }
  | { kind: 'operator'; says: 'pause' | 'resume' | 'abort' };

const move: fc.Arbitrary<Move> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('time' as const), ms: fc.nat(400) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('device' as const),
      at: fc.nat(30),
      does: fc.constantFrom(
        'good' as const,
        'good' as const,
        'failed' as const,
        'network' as const,
        'leaves' as const,
      ),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('operator' as const),
      says: fc.constantFrom('pause' as const, 'resume' as const, 'abort' as const),
    }),
  },
);

const plan = fc
  .array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 5 })
  .map((sizes) =>
    sizes.map((size, wave) => Array.from({ length: size }, (_, n) => `d${wave}-${n}`)),
  );

function moved(facts: RolloutFacts, one: Move): RolloutFacts {
  if (one.kind === 'time') return { ...facts, nowMs: facts.nowMs + one.ms };
  if (one.kind === 'operator') return steered(facts, one.says);
  const device = facts.devices[one.at % facts.devices.length];
  if (device === undefined) return facts;
  if (one.does === 'leaves') return withDevice(facts, device.device, { outcome: 'excluded' });
  if (device.assignedAtMs === null || device.outcome === 'excluded') return facts;
  switch (one.does) {
    case 'good':
      return device.outcome === 'waiting'
        ? withDevice(facts, device.device, { outcome: 'good', goodAtMs: facts.nowMs, code: null })
        : facts;
    case 'failed':
      return withDevice(facts, device.device, { outcome: 'failed', code: 'BOX_EXEC' });
    case 'network':
      return device.outcome === 'waiting'
        ? withDevice(facts, device.device, { code: 'LINK_DOWN' })
        : facts;
    default:
      return one.does satisfies never;
  }
}

function steered(facts: RolloutFacts, says: 'pause' | 'resume' | 'abort'): RolloutFacts {
  const { state } = facts;
  if (says === 'pause') return state === 'running' ? { ...facts, state: 'paused' } : facts;
  if (says === 'resume') {
    return state === 'paused' ? { ...facts, state: 'running', resumedAtMs: facts.nowMs } : facts;
  }
  return state === 'running' || state === 'paused' ? { ...facts, state: 'aborted' } : facts;
}

/** Plays moves; `see` looks at every step with the facts that it was decided on. */
function play(
  first: RolloutFacts,
  moves: readonly Move[],
  see: (step: RolloutStep, facts: RolloutFacts) => void,
): RolloutFacts {
  let facts = first;
  for (const one of moves) {
    facts = moved(facts, one);
    for (let round = 0; round < 40; round += 1) {
      const steps = rollout(facts).filter(({ kind }) => kind !== 'wait');
      if (steps.length === 0) break;
      for (const step of steps) {
        see(step, facts);
        facts = after(facts, step);
      }
    }
  }
  return facts;
}

const underWay = (facts: RolloutFacts): number =>
  facts.devices.filter(
    ({ outcome, assignedAtMs }) => outcome === 'waiting' && assignedAtMs !== null,
  ).length;

test('never more under way than the wave has devices or the bound allows', (t) => {
  fc.assert(
    fc.property(
      plan,
      fc.integer({ min: 1, max: 5 }),
      fc.array(move, { maxLength: 60 }),
      (waves, inFlightMax, moves) => {
        play(aRollout(waves, { inFlightMax }), moves, (step, facts) => {
          if (step.kind !== 'assign') return;
          const now = underWay(facts) + 1;
          if (now > inFlightMax || now > (waves[step.wave]?.length ?? 0))
            throw new Error(`${now} under way`);
        });
      },
    ),
  );
  t.pass();
});

test('a wave opens only after all before it passed', (t) => {
  fc.assert(
    fc.property(plan, fc.array(move, { maxLength: 60 }), (waves, moves) => {
      play(aRollout(waves), moves, (step, facts) => {
        if (step.kind !== 'openWave' && step.kind !== 'assign') return;
        const before = facts.waves.slice(0, step.wave);
        if (before.some(({ passedAtMs }) => passedAtMs === null)) throw new Error('too early');
      });
    }),
  );
  t.pass();
});

test('a wave passes only when nobody in it waits or failed, and the last good one has baked', (t) => {
  fc.assert(
    fc.property(plan, fc.array(move, { maxLength: 60 }), (waves, moves) => {
      play(aRollout(waves), moves, (step, facts) => {
        if (step.kind !== 'passWave') return;
        const members = facts.devices.filter(({ wave }) => wave === step.wave);
        const open = members.filter(({ outcome }) => outcome !== 'good' && outcome !== 'excluded');
        if (open.length > 0) throw new Error('passed with a device unknown or failed');
        const good = members.filter(({ outcome }) => outcome === 'good');
        const last = Math.max(0, ...members.map(({ goodAtMs }) => goodAtMs ?? 0));
        if (good.length > 0 && facts.nowMs < last + facts.bakeMs) throw new Error('did not bake');
      });
    }),
  );
  t.pass();
});

test('a rollout that has failed, is paused or aborted assigns nothing', (t) => {
  fc.assert(
    fc.property(plan, fc.array(move, { maxLength: 60 }), (waves, moves) => {
      const end = play(aRollout(waves), moves, (step, facts) => {
        if (step.kind === 'assign' && facts.state !== 'running') throw new Error(facts.state);
        const hasFailed = facts.devices.some(({ outcome }) => outcome === 'failed');
        if (step.kind === 'assign' && hasFailed) throw new Error('assigned after a failure');
      });
      if (end.state !== 'running') t.deepEqual(rollout(end), []);
    }),
  );
  t.pass();
});

test('no device is assigned twice', (t) => {
  fc.assert(
    fc.property(plan, fc.array(move, { maxLength: 60 }), (waves, moves) => {
      const seen = new Set<string>();
      play(aRollout(waves), moves, (step) => {
        if (step.kind !== 'assign') return;
        if (seen.has(step.device)) throw new Error(`${step.device} again`);
        seen.add(step.device);
      });
    }),
  );
  t.pass();
});

test('where every device is good in the end, the rollout succeeds', (t) => {
  fc.assert(
    fc.property(plan, fc.integer({ min: 1, max: 5 }), (waves, inFlightMax) => {
      let facts = aRollout(waves, { inFlightMax });
      const all: Move[] = facts.devices.map((_, at) => ({ kind: 'device', at, does: 'good' }));
      for (let turn = 0; turn <= facts.devices.length * 2; turn += 1) {
        facts = play(facts, [...all, { kind: 'time', ms: 100 }], () => undefined);
      }
      t.is(facts.state, 'succeeded');
    }),
  );
});

test('the same facts give the same steps, and both are JSON', (t) => {
  fc.assert(
    fc.property(plan, fc.array(move, { maxLength: 30 }), (waves, moves) => {
      const facts = play(aRollout(waves), moves, () => undefined);
      const copy = JSON.parse(JSON.stringify(facts)) as RolloutFacts;
      t.deepEqual(copy, facts);
      const steps = rollout(facts);
      t.deepEqual(rollout(copy), steps);
      t.deepEqual(JSON.parse(JSON.stringify(steps)), steps);
    }),
  );
});

const size: fc.Arbitrary<WaveSize> = fc.oneof(
  fc.record({ count: fc.integer({ min: 1, max: 50 }) }),
  fc.record({ percent: fc.integer({ min: 1, max: 100 }) }),
);

test('waves have every device once, none is empty, and the order of the input does not matter', (t) => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.integer({ min: 100, max: 999 }).map(String), { maxLength: 60 }),
      fc.array(size, { maxLength: 1 }),
      (names, sizes) => {
        const devices = names.map((device) => ({ device, rank: device }));
        const waves = planWaves(devices, sizes);
        t.deepEqual(waves.flat(), [...names].sort());
        t.true(waves.every((wave) => wave.length > 0));
        t.deepEqual(planWaves([...devices].reverse(), sizes), waves);
      },
    ),
  );
});

test('percent waves that grow reach all devices, each to its share', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 500 }),
      fc.uniqueArray(fc.integer({ min: 1, max: 100 }), { maxLength: 6 }),
      (count, percents) => {
        const devices = Array.from({ length: count }, (_, n) => ({
          device: `d${n}`,
          rank: String(n).padStart(4, '0'),
        }));
        const sizes = [...percents].sort((a, b) => a - b).map((percent) => ({ percent }));
        const waves = planWaves(devices, sizes);
        t.is(new Set(waves.flat()).size, count);
        const first = sizes[0];
        if (first !== undefined) {
          t.is(waves[0]?.length, Math.max(1, Math.floor((count * first.percent) / 100)));
        }
      },
    ),
  );
});
