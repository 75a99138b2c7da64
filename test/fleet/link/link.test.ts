// SPDX-License-Identifier: Apache-2.0
// The fleet's link through the real broker: what devices send arrives whole and in order, hostile payloads
// stop at the link, and a broker that goes away is found again.

import { randomBytes } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import { decodePayload, encodePayload } from '../../../adapters/zstd.js';
import { startBroker } from '../../../fleet/link/broker.js';
import { type FleetLink, openLink } from '../../../fleet/link/link.js';
import { desiredTopic, upTopic } from '../../../protocol/topic.js';
import { aBroker, aClient, aFleet, silent, type TestFleet, until } from '../../kit/edges-fleet.js';

interface Seen {
  readonly link: FleetLink;
  readonly messages: Array<[string, string]>;
  readonly states: boolean[];
}

async function aLink(
  t: ExecutionContext,
  fleet: TestFleet,
  port: number,
  onMessage: (topic: string, text: string) => void = () => undefined,
): Promise<Seen> {
  const messages: Array<[string, string]> = [];
  const states: boolean[] = [];
  const link = await openLink({
    host: '127.0.0.1',
    port,
    tls: await fleet.link(),
    tenant: 'acme',
    log: silent,
    delayMs: { min: 50, max: 200 },
    onMessage: (topic, text) => {
      messages.push([topic, text]);
      onMessage(topic, text);
    },
    onState: (connected) => states.push(connected),
  });
  t.teardown(() => link.close());
  return { link, messages, states };
}

test('a long document goes down compressed and a long report comes up whole', async (t) => {
  const fleet = await aFleet(t);
  const { port } = await aBroker(t, fleet);
  const { link, messages, states } = await aLink(t, fleet, port);
  t.deepEqual(states, [true]);
  const received: Buffer[] = [];
  const pump = aClient(t, {
    port,
    tls: await fleet.device('pump-1'),
    clientId: 'acme--pump-1',
    onMessage: (_topic, payload) => received.push(payload),
  });
  await pump.link.subscribe(['w1/acme/d/acme--pump-1/#']);
  await pump.up();
  const text = JSON.stringify({ workloads: Array.from({ length: 200 }, (_, at) => `web-${at}`) });
  await link.publish(desiredTopic('acme', 'pump-1'), text, { retain: true });
  const bytes = await until(() => received[0]);
  t.true(bytes.length < text.length);
  t.is(await decodePayload(bytes), text);

  const topic = upTopic('acme', 'pump-1', 'reported');
  await pump.link.publish(topic, await encodePayload(text), {});
  await until(() => messages[0]);
  t.deepEqual(messages, [[topic, text]]);
});

test('messages stay in order, long ones between short ones', async (t) => {
  const fleet = await aFleet(t);
  const { port } = await aBroker(t, fleet);
  const { messages } = await aLink(t, fleet, port);
  const pump = aClient(t, { port, tls: await fleet.device('pump-1'), clientId: 'acme--pump-1' });
  await pump.up();
  const topic = upTopic('acme', 'pump-1', 'event');
  const texts = Array.from({ length: 40 }, (_, at) =>
    JSON.stringify({ at, text: 'x'.repeat(at % 3 === 0 ? 5000 : 1) }),
  );
  for (const text of texts) await pump.link.publish(topic, await encodePayload(text), {});
  await until(() => (messages.length === texts.length ? true : undefined));
  t.deepEqual(
    messages.map(([, text]) => text),
    texts,
  );
});

test('hostile payloads and a reader that throws stop nothing; each is counted', async (t) => {
  const fleet = await aFleet(t);
  const { port } = await aBroker(t, fleet);
  const { link, messages } = await aLink(t, fleet, port, (_topic, text) => {
    if (text === 'poison') throw new Error('a mistake of ours');
  });
  const pump = aClient(t, { port, tls: await fleet.device('pump-1'), clientId: 'acme--pump-1' });
  await pump.up();
  const topic = upTopic('acme', 'pump-1', 'hello');
  const good = await encodePayload('x'.repeat(5000));
  const hostile = [
    Buffer.from([0xff, 0xff]),
    good.subarray(0, 20),
    good.subarray(0, -3),
    Buffer.concat([good.subarray(0, 24), randomBytes(300)]),
    Buffer.from('poison'),
  ];
  for (const payload of hostile) await pump.link.publish(topic, payload, {});
  await pump.link.publish(topic, Buffer.alloc(0), {}); // not a message
  await pump.link.publish(topic, Buffer.from('still here'), {});
  await until(() => messages.find(([, text]) => text === 'still here'));
  t.is(link.droppedCount, hostile.length);
  t.is(messages.length, 2);
});

test('a broker that comes back is found again', async (t) => {
  const fleet = await aFleet(t);
  const options = {
    listen: '127.0.0.1',
    tls: { ...fleet.authority.server, ca: fleet.authority.certificatePem },
    tenant: 'acme',
    isAdmitted: () => true,
    log: silent,
  };
  const first = await startBroker({ ...options, port: 0 });
  const { link, states } = await aLink(t, fleet, first.port);
  await first.close();
  await until(() => (states.at(-1) === false ? true : undefined));
  await t.throwsAsync(link.publish(desiredTopic('acme', 'a'), '{}'), { code: 'LINK_DOWN' });
  const second = await startBroker({ ...options, port: first.port });
  t.teardown(() => second.close());
  await until(() => (states.at(-1) === true ? true : undefined));
  await t.notThrowsAsync(link.publish(desiredTopic('acme', 'a'), '{}'));
});

test('a port that is taken is said so', async (t) => {
  const fleet = await aFleet(t);
  const { port } = await aBroker(t, fleet);
  await t.throwsAsync(aBroker(t, fleet, { port }), { code: 'LINK_LISTEN' });
});
