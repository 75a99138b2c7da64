// SPDX-License-Identifier: Apache-2.0
// What is said over a link that comes and goes.

import test, { type ExecutionContext } from 'ava';
import { plan } from '../../../agent/plan/plan.js';
import { type SaidFacts, Speaker, type Uplink } from '../../../agent/report/speak.js';
import type { Store } from '../../../agent/store/types.js';
import type { Event, Hello } from '../../../protocol/device.js';
import { eventOfIn } from '../../kit/agent-device.js';
import { anObserved } from '../../kit/agent-docs.js';
import { aStore } from '../../kit/agent-store.js';

interface Talk {
  readonly store: Store;
  readonly speaker: Speaker;
  readonly said: string[];
  readonly link: { connected: boolean; refuses: boolean };
}

async function aTalk(t: ExecutionContext): Promise<Talk> {
  const { store } = await aStore(t);
  const said: string[] = [];
  const link = { connected: true, refuses: false };
  const send = (what: string) => async (): Promise<void> => {
    await new Promise((resolve) => setTimeout(resolve, 2));
    if (link.refuses) throw new Error('the link broke');
    said.push(what);
  };
  const uplink: Uplink = {
    get connected() {
      return link.connected;
    },
    hello: send('hello'),
    reported: ({ seq, observedGeneration }) => send(`reported ${observedGeneration} #${seq}`)(),
    event: ({ type }: Event) => send(type)(),
  };
  const speaker = new Speaker({
    store,
    now: () => '2026-01-01T00:00:00Z',
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    reportMsMin: 40,
    eventCountMax: 2,
    onError: () => said.push('not said'),
  });
  await speaker.start();
  speaker.attach(uplink);
  return { store, speaker, said, link };
}

const facts = (generation: number): SaidFacts => {
  const observed = anObserved({ desired: { generation, release: null } });
  return {
    observed,
    steps: plan(observed),
    percent: undefined,
    epoch: 1,
    linked: { status: 'True' },
  };
};

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const hello = {} as Hello;

test('Only the newest of many reports is said, and the same is not said twice', async (t) => {
  const { speaker, said } = await aTalk(t);
  for (const generation of [1, 2, 3, 4]) speaker.offer(facts(generation));
  await pause(150);
  speaker.offer(facts(4));
  await pause(100);
  t.deepEqual(said, ['reported 1 #1', 'reported 4 #2']);
});

test('What was not said before the link broke is said after it is back, hello first', async (t) => {
  const { speaker, said, link, store } = await aTalk(t);
  link.refuses = true;
  const eventOf = eventOfIn(store);
  await store.outbox.put(await eventOf({ type: 'good', release: null }));
  speaker.offer(facts(1));
  await pause(60);
  t.deepEqual(new Set(said), new Set(['not said']));
  t.is((await store.outbox.next(9)).length, 1, 'it is kept until the broker has it');
  said.length = 0;
  link.refuses = false;
  await speaker.up(hello);
  speaker.offer(facts(1));
  await pause(100);
  t.is(said[0], 'hello');
  t.deepEqual(
    new Set(said.slice(1).map((one) => one.split(' ')[0])),
    new Set(['reported', 'good']),
  );
  t.deepEqual(await store.outbox.next(9), []);
});

test('A reconnect says the whole report again, since the fleet may have missed it', async (t) => {
  const { speaker, said } = await aTalk(t);
  speaker.offer(facts(1));
  await pause(100);
  await speaker.up(hello);
  speaker.offer(facts(1));
  await pause(100);
  t.deepEqual(
    said.map((one) => one.split(' ')[0]),
    ['reported', 'hello', 'reported'],
  );
});

test('Nothing is said while there is no link, and no event is lost meanwhile', async (t) => {
  const { speaker, said, link, store } = await aTalk(t);
  link.connected = false;
  const eventOf = eventOfIn(store);
  for (const type of ['accepted', 'pulling', 'pulled', 'switching', 'good'] as const) {
    await store.outbox.put(await eventOf({ type, release: null }));
  }
  speaker.offer(facts(1));
  await pause(50);
  t.deepEqual(said, []);
  link.connected = true;
  await speaker.empty();
  t.deepEqual(said.filter((one) => !one.startsWith('reported')).sort(), [
    'accepted',
    'good',
    'pulled',
    'pulling',
    'switching',
  ]);
});
