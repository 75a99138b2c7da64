// SPDX-License-Identifier: Apache-2.0
// Properties of the plan, in a model world with images that behave badly in every way a gate knows.

import test from 'ava';
import fc from 'fast-check';
import { plan } from '../../../agent/plan/plan.js';
import type { Digest } from '../../../protocol/name.js';
import type { Release } from '../../../protocol/release.js';
import { aHealthcheck, aRelease, aWorkload, releaseDigest } from '../../kit/agent-docs.js';
import { type Behaviour, World } from '../../kit/agent-world.js';

const behaviour = fc.constantFrom<Behaviour>(
  'well',
  'well',
  'well',
  'unhealthy',
  'crash',
  'nostart',
  'nopull',
  'never-healthy',
);

const workloadShape = fc.record({
  name: fc.constantFrom('a', 'b', 'c'),
  tag: fc.constantFrom('v1', 'v2', 'v3'),
  checked: fc.boolean(),
});
type Shape = { name: string; tag: string; checked: boolean };

const releaseShape = fc.uniqueArray(workloadShape, {
  selector: ({ name }) => name,
  minLength: 1,
  maxLength: 3,
});

function releaseFrom(shapes: readonly Shape[], counter: number): Release {
  const names = shapes.map(({ name }) => name);
  return aRelease({
    version: `r${counter}`,
    counter,
    workloads: shapes.map(({ name, tag, checked }) =>
      aWorkload({
        name,
        tag,
        ...(checked ? { healthcheck: aHealthcheck } : {}),
        ...(name === 'b' && names.includes('a')
          ? { dependsOn: { a: 'service_started' as const } }
          : {}),
      }),
    ),
  });
}

const scene = fc.record({
  shapes: fc.array(releaseShape, { minLength: 1, maxLength: 4 }),
  behaviours: fc.array(fc.tuple(workloadShape, behaviour), { maxLength: 4 }),
  /** Turns and the step at which the agent is killed, between two desired. */
  cuts: fc.array(fc.tuple(fc.nat(6), fc.nat(3), fc.boolean()), { minLength: 4, maxLength: 4 }),
});
type Scene = {
  shapes: Shape[][];
  behaviours: Array<[Shape, Behaviour]>;
  cuts: Array<[number, number, boolean]>;
};

function worldOf({ shapes, behaviours }: Scene): { world: World; digests: Digest[] } {
  const releases = shapes.map((shape, at) => releaseFrom(shape, at + 1));
  const table = new Map<Digest, Behaviour>(
    behaviours.map(([shape, how]) => [aWorkload(shape).image.digest, how]),
  );
  return { world: new World(releases, table), digests: releases.map(releaseDigest) };
}

/** What must be true once nothing is left to do. */
function isSettled(world: World, asked: Digest): boolean {
  const { good, failed, trial, releases } = world.observed;
  const isFailed = failed.some(({ release }) => release === asked);
  if (trial !== null || (!isFailed && good !== asked)) return false;
  const specs = releases.find(({ digest }) => digest === good)?.specs ?? [];
  const running = world.observed.containers.filter(({ status }) => status !== undefined);
  return running.length === specs.length && running.every(({ spec }) => specs.includes(spec));
}

const runs = { numRuns: 150 };

test('Every sequence of desired releases converges, whatever the images do, and then the plan is empty', (t) => {
  fc.assert(
    fc.property(scene, (given) => {
      const { world, digests } = worldOf(given);
      digests.forEach((digest, at) => {
        world.ask(at + 1, digest);
        // A good release may be sick for ever; only its retries go on, so bad images are left to gates.
        world.settle();
        t.true(isSettled(world, digest), world.told.slice(-10).join('; '));
      });
    }),
    runs,
  );
});

test('A new desired in the middle of anything, a kill at any step and a reboot end at the same place', (t) => {
  fc.assert(
    fc.property(scene, (given) => {
      const { world, digests } = worldOf(given);
      digests.forEach((digest, at) => {
        world.ask(at + 1, digest);
        const [turns, cutAt, isReboot] = given.cuts[at] ?? [0, 0, false];
        for (let turn = 0; turn < turns; turn += 1)
          world.turn(turn === turns - 1 ? cutAt : undefined);
        if (isReboot) world.reboot();
        else world.restart();
        world.check();
      });
      const last = digests.at(-1);
      world.settle();
      t.true(last !== undefined && isSettled(world, last), world.told.slice(-10).join('; '));
    }),
    runs,
  );
});

test('The plan is a function: the same picture gives the same steps, and they are JSON', (t) => {
  fc.assert(
    fc.property(scene, (given) => {
      const { world, digests } = worldOf(given);
      digests.forEach((digest, at) => {
        world.ask(at + 1, digest);
        for (let turn = 0; turn < 4; turn += 1) {
          const before = JSON.stringify(world.observed);
          const steps = plan(world.observed);
          t.deepEqual(plan(JSON.parse(before)), JSON.parse(JSON.stringify(steps)));
          t.is(JSON.stringify(world.observed), before, 'the picture is not changed');
          world.turn();
        }
      });
    }),
    { numRuns: 50 },
  );
});

test('Asked to run nothing after anything, the device runs nothing and keeps no bundle', (t) => {
  fc.assert(
    fc.property(scene, (given) => {
      const { world, digests } = worldOf(given);
      const first = digests[0];
      if (first === undefined) return;
      world.ask(1, first);
      for (let turn = 0; turn < (given.cuts[0]?.[0] ?? 0); turn += 1) world.turn();
      world.ask(2, null);
      world.settle();
      t.deepEqual(world.observed.containers, []);
      t.is(world.observed.good, null);
    }),
    { numRuns: 50 },
  );
});
