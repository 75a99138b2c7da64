// SPDX-License-Identifier: Apache-2.0
// The device's link over a real broker with mutual TLS: what goes up, what comes down, and presence.

import test, { type ExecutionContext } from 'ava';
import { type AgentLink, type LinkOptions, openLink } from '../../../agent/link/link.js';
import type { Broker } from '../../../fleet/link/broker.js';
import type { Event, Hello } from '../../../protocol/device.js';
import { hexOf } from '../../../protocol/name.js';
import { desiredTopic, releaseTopic, upTopic } from '../../../protocol/topic.js';
import { digestFor } from '../../kit/agent-docs.js';
import {
  aBroker,
  aClient,
  aFleet,
  silent,
  type TestClient,
  type TestFleet,
  until,
} from '../../kit/edges-fleet.js';

interface Scene {
  readonly authority: TestFleet;
  readonly broker: Broker;
  readonly fleet: TestClient;
  readonly got: string[];
  open(changed?: Partial<LinkOptions>): AgentLink;
}

async function aScene(t: ExecutionContext): Promise<Scene> {
  const authority = await aFleet(t);
  const broker = await aBroker(t, authority);
  const tls = await authority.link();
  const fleet = aClient(t, { port: broker.port, tls, clientId: 'link.acme.test' });
  await fleet.link.subscribe(['w1/acme/u/+/+/#']);
  await fleet.up();
  const credentials = await authority.device('dev-1');
  const got: string[] = [];
  return {
    authority,
    broker,
    fleet,
    got,
    open: (changed = {}) => {
      const link = openLink({
        identity: {
          tenant: 'acme',
          device: 'dev-1',
          mqtt: { host: '127.0.0.1', port: broker.port },
          ...credentials,
        },
        bootId: 'boot-1',
        seq: 7,
        log: silent,
        delayMs: { min: 20, max: 50 },
        onDesired: async (text) => void got.push(`desired ${text}`),
        onRelease: async (text) => void got.push(`release ${text}`),
        onUp: () => got.push('up'),
        onDown: () => got.push('down'),
        ...changed,
      });
      t.teardown(() => link.close());
      return link;
    },
  };
}

const said = (client: TestClient, up: Parameters<typeof upTopic>[2]): string[] =>
  client.messages
    .filter(({ topic }) => topic === upTopic('acme', 'dev-1', up))
    .map(({ payload }) => payload);

test('A device says its birth, its words arrive, and it says its end when it is closed', async (t) => {
  const { open, fleet, got } = await aScene(t);
  const link = open();
  await until(() => (got.includes('up') ? true : undefined));
  await link.hello({ bootId: 'boot-1' } as Hello);
  await link.event({ type: 'good' } as Event);
  await until(() => said(fleet, 'event')[0]);
  t.deepEqual(JSON.parse(said(fleet, 'hello')[0] ?? ''), { bootId: 'boot-1' });
  t.deepEqual(JSON.parse(said(fleet, 'presence')[0] ?? ''), {
    online: true,
    bootId: 'boot-1',
    seq: 7,
  });
  await link.close();
  await until(() => said(fleet, 'presence')[1]);
  t.deepEqual(JSON.parse(said(fleet, 'presence')[1] ?? ''), {
    online: false,
    bootId: 'boot-1',
    seq: 7,
  });
});

test('Desired comes in from what is retained, a release when it is wanted', async (t) => {
  const { open, fleet, got } = await aScene(t);
  const digest = digestFor('r');
  const retain = { retain: true };
  await fleet.link.publish(desiredTopic('acme', 'dev-1'), Buffer.from('{"a":1}'), retain);
  await fleet.link.publish(releaseTopic('acme', hexOf(digest)), Buffer.from('{"r":1}'), retain);
  const link = open();
  await until(() => (got.includes('desired {"a":1}') ? true : undefined));
  t.false(got.includes('release {"r":1}'));
  await link.want([digest]);
  await until(() => (got.includes('release {"r":1}') ? true : undefined));
  t.pass();
});

test('Attack: a payload that is no UTF-8, and one that only looks compressed, are dropped; the next one is read', async (t) => {
  const { open, fleet, got } = await aScene(t);
  open();
  await until(() => (got.includes('up') ? true : undefined));
  const topic = desiredTopic('acme', 'dev-1');
  for (const bytes of [
    Buffer.from([0xc3, 0x28]),
    Buffer.from([0xf7, 0x57, 0x5a, 0x01, 0xff, 0xff, 0xff, 0xff]),
    Buffer.alloc(0),
    Buffer.from('{"ok":1}'),
  ]) {
    await fleet.link.publish(topic, bytes, {});
  }
  await until(() => (got.includes('desired {"ok":1}') ? true : undefined));
  t.deepEqual(
    got.filter((one) => one.startsWith('desired')),
    ['desired {"ok":1}'],
  );
});

test('The link mends itself when the broker comes back, and what is said without one is an error', async (t) => {
  const { open, broker, got, authority } = await aScene(t);
  const link = open();
  await until(() => (got.includes('up') ? true : undefined));
  await broker.close();
  await until(() => (got.includes('down') ? true : undefined));
  await t.throwsAsync(link.hello({} as Hello), { code: 'LINK_DOWN' } as never);
  await aBroker(t, authority, { port: broker.port });
  await until(() => (got.filter((one) => one === 'up').length === 2 ? true : undefined));
  await link.hello({} as Hello);
});

test('Releases that are no longer wanted are given up, and the filters stay few', async (t) => {
  const { open, fleet, got } = await aScene(t);
  const digests = Array.from({ length: 70 }, (_, at) => digestFor(`r${at}`));
  const link = open();
  await until(() => (got.includes('up') ? true : undefined));
  for (const digest of digests) await link.want([digest]); // the embedded broker allows 64
  const publish = (at: number): Promise<void> =>
    fleet.link.publish(
      releaseTopic('acme', hexOf(digests[at] ?? digestFor('r'))),
      Buffer.from(`{"at":${at}}`),
      {},
    );
  await publish(0);
  await publish(69);
  await until(() => (got.includes('release {"at":69}') ? true : undefined));
  t.false(got.includes('release {"at":0}'));
});

test('A fleet that repeats its desired is told everything again', async (t) => {
  const { open, fleet, got } = await aScene(t);
  const topic = desiredTopic('acme', 'dev-1');
  await fleet.link.publish(topic, Buffer.from('{"a":1}'), { retain: true });
  open({ echoMsMax: 20 });
  await until(() => (got.includes('desired {"a":1}') ? true : undefined));
  await new Promise((resolve) => setTimeout(resolve, 100));
  t.is(got.filter((one) => one === 'up').length, 1, 'once after the connect');
  await fleet.link.publish(topic, Buffer.from('{"a":1}'), { retain: true });
  await until(() => (got.filter((one) => one === 'up').length === 2 ? true : undefined));
  t.pass();
});

test('Plain documents go out as JSON however long they are', async (t) => {
  const { open, fleet, got } = await aScene(t);
  const link = open({ plain: true });
  await until(() => (got.includes('up') ? true : undefined));
  const bootId = 'b'.repeat(4000);
  await link.hello({ bootId } as Hello);
  await until(() => said(fleet, 'hello')[0]);
  t.deepEqual(JSON.parse(said(fleet, 'hello')[0] ?? ''), { bootId });
});
