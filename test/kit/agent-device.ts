// SPDX-License-Identifier: Apache-2.0
// A loop on a real store in a temp folder, with the fakes of run and pull: what a device does when it is asked.

import type { ExecutionContext } from 'ava';
import { systemClock } from '../../adapters/clock.js';
import type { Places } from '../../adapters/places.js';
import type { ApplyContext } from '../../agent/apply/context.js';
import { type Loop, openLoop, type Seen } from '../../agent/loop.js';
import { strictPolicy } from '../../agent/plan/observed.js';
import type { Store } from '../../agent/store/types.js';
import type { Event } from '../../protocol/device.js';
import type { Envelope } from '../../protocol/envelope.js';
import type { Release } from '../../protocol/release.js';
import { anAssignment, releaseDigest } from './agent-docs.js';
import { aPull, aRun, type FakePull, type FakeRun, imageConfig } from './agent-fakes.js';
import { aStore, quiet } from './agent-store.js';

export interface TestDevice {
  readonly store: Store;
  readonly places: Places;
  readonly run: FakeRun;
  readonly pull: FakePull;
  readonly loop: Loop;
  readonly seen: Seen[];
  /** Asks as an accepted assignment would, with the document at hand. */
  ask(release: Release | null): Promise<void>;
  events(): Promise<string[]>;
  /** Until the picture is as said. @throws after 10 s, with what was seen last */
  until(is: (seen: Seen) => boolean): Promise<Seen>;
  settled(): Promise<Seen>;
}

export const envelope = { payloadType: '', payload: '', signatures: [] } as unknown as Envelope;

export function eventOfIn(store: Store): ApplyContext['eventOf'] {
  return async (facts): Promise<Event> => {
    const { epoch = 0, generation = 0 } = (await store.desired.assignment())?.assignment ?? {};
    const at = '2026-01-01T00:00:00Z';
    return { bootId: 'boot-1', seq: await store.nextSeq(), epoch, generation, ...facts, at };
  };
}

export async function aDevice(
  t: ExecutionContext,
  given: { places?: Places; run?: FakeRun; bootId?: string } = {},
): Promise<TestDevice> {
  const { store, places } = await aStore(t, given);
  const run = given.run ?? aRun();
  const pull = aPull(store);
  const seen: Seen[] = [];
  const loop = openLoop({
    store,
    run,
    pull,
    clock: systemClock,
    log: quiet,
    policy: strictPolicy,
    diskLowBytes: 0,
    configOf: async () => imageConfig,
    eventOf: eventOfIn(store),
    onSeen: (one) => seen.push(one),
  });
  const unwatch = run.watch(() => loop.ring());
  t.teardown(async () => {
    unwatch();
    await loop.close();
    await store.close();
  });
  let generation = (await store.desired.assignment())?.assignment.generation ?? 0;
  const until = async (is: (one: Seen) => boolean): Promise<Seen> => {
    const from = seen.length;
    for (let at = 0; at < 1000; at += 1) {
      const found = seen.slice(Math.max(0, from - 1)).find(is);
      if (found !== undefined) return found;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    throw new Error(`never seen; last: ${JSON.stringify(seen.at(-1)?.steps)}`);
  };
  return {
    store,
    places,
    run,
    pull,
    loop,
    seen,
    until,
    ask: async (release) => {
      generation += 1;
      const named =
        release === null
          ? null
          : { digest: releaseDigest(release), app: release.app, counter: release.counter };
      await store.desired.accept(anAssignment({ generation, release: named }), envelope);
      if (release !== null)
        await store.desired.putRelease(releaseDigest(release), release, envelope);
      loop.ring();
    },
    events: async () =>
      (await store.outbox.next(1000)).map(({ event }) =>
        [event.type, event.code].filter((word) => word !== undefined).join(' '),
      ),
    settled: () =>
      until(
        ({ steps, observed }) => steps.length === 0 && observed.desired?.generation === generation,
      ),
  };
}
