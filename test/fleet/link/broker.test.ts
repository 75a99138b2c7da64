// SPDX-License-Identifier: Apache-2.0
// The broker against real clients: mqtt.js by our adapter and mosquitto's tools. What counts is what is
// delivered, not what a SUBACK says.

import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'node:tls';
import test, { type ExecutionContext } from 'ava';
import { run } from '../../../adapters/exec.js';
import { desiredTopic, floorTopic, releaseTopic, upTopic } from '../../../protocol/topic.js';
import {
  aBroker,
  aClient,
  aFleet,
  type Credentials,
  settle,
  silent,
  type TestFleet,
  tempDir,
  until,
} from '../../kit/edges-fleet.js';

const hex = 'ab'.repeat(32);

async function theLink(
  t: ExecutionContext,
  fleet: TestFleet,
  port: number,
): Promise<ReturnType<typeof aClient>> {
  const link = aClient(t, { port, tls: await fleet.link(), clientId: 'link.acme.1' });
  await link.link.subscribe(['w1/acme/#']);
  await link.up();
  return link;
}

async function files(t: ExecutionContext, tls: Credentials): Promise<string[]> {
  const dir = await tempDir(t);
  const names = { ca: join(dir, 'ca'), cert: join(dir, 'cert'), key: join(dir, 'key') };
  await writeFile(names.ca, tls.ca);
  await writeFile(names.cert, tls.cert);
  await writeFile(names.key, tls.key);
  return ['--cafile', names.ca, '--cert', names.cert, '--key', names.key, '-h', 'localhost'];
}

test('a device gets its own desired, releases and the floor, also what was retained before it came', async (t) => {
  const fleet = await aFleet(t);
  const { port } = await aBroker(t, fleet);
  const link = await theLink(t, fleet, port);
  await link.link.publish(desiredTopic('acme', 'pump-1'), Buffer.from('mine'), { retain: true });
  await link.link.publish(releaseTopic('acme', hex), Buffer.from('release'), { retain: true });
  await link.link.publish(floorTopic('acme'), Buffer.from('floor'), { retain: true });

  const pump = aClient(t, { port, tls: await fleet.device('pump-1'), clientId: 'acme--pump-1' });
  await pump.link.subscribe(['w1/acme/d/acme--pump-1/#', 'w1/acme/rel/+', 'w1/acme/floor']);
  t.is(await pump.message(desiredTopic('acme', 'pump-1')), 'mine');
  t.is(await pump.message(releaseTopic('acme', hex)), 'release');
  t.is(await pump.message(floorTopic('acme')), 'floor');
});

test('a device is refused every filter that is not its own', async (t) => {
  const fleet = await aFleet(t);
  const { port } = await aBroker(t, fleet);
  const pump = aClient(t, { port, tls: await fleet.device('pump-1'), clientId: 'acme--pump-1' });
  await pump.up();
  const filters = [
    '#',
    '+/#',
    'w1/#',
    'w1/acme/#',
    'w1/acme/d/#',
    'w1/acme/d/+/desired',
    'w1/acme/d/acme--pump-2/#',
    'w1/acme/d/acme--pump-10/desired',
    'w1/acme/u/+/+/#',
    'w1/other/rel/+',
    '$share/g/w1/acme/d/acme--pump-1/#',
    '$SYS/#',
  ];
  for (const filter of filters) {
    await t.throwsAsync(pump.link.subscribe([filter]), { code: 'LINK_SUBSCRIBE' }, filter);
  }
});

test('a device may hold 64 subscriptions, and what it gives up makes room', async (t) => {
  const fleet = await aFleet(t);
  const { port } = await aBroker(t, fleet);
  const pump = aClient(t, { port, tls: await fleet.device('pump-1'), clientId: 'acme--pump-1' });
  await pump.up();
  const topics = Array.from({ length: 70 }, (_, at) =>
    releaseTopic('acme', at.toString(16).padStart(64, '0')),
  );
  await pump.link.subscribe(topics.slice(0, 64));
  await t.throwsAsync(pump.link.subscribe([topics[64] ?? '']), { code: 'LINK_SUBSCRIBE' });
  await pump.link.unsubscribe(topics.slice(0, 10));
  await t.notThrowsAsync(pump.link.subscribe([topics[65] ?? '']));
  const link = await theLink(t, fleet, port);
  await link.link.publish(topics[0] ?? '', Buffer.from('given up'), {});
  await link.link.publish(topics[65] ?? '', Buffer.from('held'), {});
  t.is(await pump.message(topics[65] ?? ''), 'held');
  t.is(pump.messages.length, 1);
});

test('a message on a foreign or malformed topic is not delivered to a device', async (t) => {
  const fleet = await aFleet(t);
  const { port } = await aBroker(t, fleet);
  const pump = aClient(t, { port, tls: await fleet.device('pump-1'), clientId: 'acme--pump-1' });
  await pump.link.subscribe(['w1/acme/d/acme--pump-1/#', 'w1/acme/rel/#']);
  await pump.up();
  const link = await theLink(t, fleet, port);
  for (const topic of [
    desiredTopic('acme', 'pump-2'),
    'w1/acme/rel/not-a-digest', // inside the granted filter, yet no topic of ours
    `w1/acme/rel/${hex}/more`,
    'w1/acme/d/acme--pump-1/secret/of/others',
    upTopic('acme', 'pump-2', 'hello'),
  ]) {
    await link.link.publish(topic, Buffer.from('no'), {});
  }
  await link.link.publish(desiredTopic('acme', 'pump-1'), Buffer.from('yes'), {});
  await pump.message(desiredTopic('acme', 'pump-1'));
  await settle();
  t.deepEqual(pump.messages, [{ topic: desiredTopic('acme', 'pump-1'), payload: 'yes' }]);
});

test('a publish on a foreign topic closes the connection and reaches nobody', async (t) => {
  const fleet = await aFleet(t);
  const { port } = await aBroker(t, fleet);
  const link = await theLink(t, fleet, port);
  const tls = await fleet.device('pump-1');
  const own = upTopic('acme', 'pump-1', 'hello');
  const wrongSlot = own.replace(/\/u\/\d+\//, '/u/99/');
  for (const topic of [
    upTopic('acme', 'pump-2', 'hello'),
    wrongSlot,
    desiredTopic('acme', 'pump-1'),
    releaseTopic('acme', hex),
    floorTopic('acme'),
    upTopic('other', 'pump-1', 'hello'),
    `${own}/more`,
    '$SYS/x',
  ]) {
    const pump = aClient(t, { port, tls, clientId: 'acme--pump-1' });
    await pump.up();
    await pump.link.publish(topic, Buffer.from('forged'), {}).catch(() => undefined);
    t.is((await pump.loss()).code, 'LINK_DOWN', topic);
    await pump.link.close();
  }
  await settle();
  t.deepEqual(link.messages, []);
});

test('a device may not retain but its presence, and that only small', async (t) => {
  const fleet = await aFleet(t);
  const { port } = await aBroker(t, fleet);
  const link = await theLink(t, fleet, port);
  const tls = await fleet.device('pump-1');
  const pump = aClient(t, { port, tls, clientId: 'acme--pump-1' });
  await pump.up();
  await pump.link.publish(upTopic('acme', 'pump-1', 'presence'), Buffer.from('on'), {
    retain: true,
  });
  await link.message(upTopic('acme', 'pump-1', 'presence'));
  t.is(pump.losses.length, 0);
  await pump.link
    .publish(upTopic('acme', 'pump-1', 'reported'), Buffer.from('x'), { retain: true })
    .catch(() => undefined);
  t.is((await pump.loss()).code, 'LINK_DOWN');
});

test('a certificate of another authority and a server certificate are refused', async (t) => {
  const fleet = await aFleet(t);
  const foreign = await aFleet(t);
  const { port } = await aBroker(t, fleet);
  const ca = fleet.authority.certificatePem;
  const stranger = { ...(await foreign.device('pump-1')), ca };
  const first = aClient(t, { port, tls: stranger, clientId: 'acme--pump-1' });
  t.is((await first.loss()).code, 'LINK_AUTH');
  const server = aClient(t, {
    port,
    tls: { ca, ...fleet.authority.server },
    clientId: 'server.acme',
  });
  t.is((await server.loss()).code, 'LINK_AUTH');
});

test('a broker that is not of our authority is refused by the client', async (t) => {
  const fleet = await aFleet(t);
  const foreign = await aFleet(t);
  const { port } = await aBroker(t, foreign);
  const pump = aClient(t, { port, tls: await fleet.device('pump-1'), clientId: 'acme--pump-1' });
  t.is((await pump.loss()).code, 'LINK_CERTIFICATE');
});

test('a certificate of one device does not open the client id of another', async (t) => {
  const fleet = await aFleet(t);
  const { port } = await aBroker(t, fleet);
  const tls = await fleet.device('pump-1');
  for (const clientId of ['acme--pump-2', 'link.acme', 'acme--pump-1.x', 'whatever']) {
    const pump = aClient(t, { port, tls, clientId });
    t.is((await pump.loss()).code, 'LINK_AUTH', clientId);
    await pump.link.close();
  }
});

test('a certificate of another tenant is refused though the authority signed it', async (t) => {
  const fleet = await aFleet(t);
  const { port } = await aBroker(t, fleet, { tenant: 'other' });
  const pump = aClient(t, { port, tls: await fleet.device('pump-1'), clientId: 'acme--pump-1' });
  t.is((await pump.loss()).code, 'LINK_AUTH');
});

test('a will on its own topic is published when the device dies, one on a foreign topic is refused', async (t) => {
  const fleet = await aFleet(t);
  const { port } = await aBroker(t, fleet);
  const link = await theLink(t, fleet, port);
  const args = await files(t, await fleet.device('pump-1'));
  const presence = upTopic('acme', 'pump-1', 'presence');
  const sub = (willTopic: string): ReturnType<typeof spawn> =>
    spawn(
      'stdbuf', // its words come through the pipe line by line, under the same pid
      [
        ...['-oL', 'mosquitto_sub'],
        ...args,
        ...['-p', String(port), '-i', 'acme--pump-1', '-t', 'w1/acme/floor', '-d'],
        ...['--will-topic', willTopic, '--will-payload', 'gone', '--will-retain'],
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );

  const dying = sub(presence);
  t.teardown(() => dying.kill('SIGKILL'));
  await new Promise<void>((resolve) => {
    dying.stdout?.on('data', (chunk: Buffer) => {
      if (String(chunk).includes('SUBACK')) resolve();
    });
  });
  dying.kill('SIGKILL');
  t.is(await link.message(presence), 'gone');

  const forging = sub(upTopic('acme', 'pump-2', 'presence'));
  t.teardown(() => forging.kill('SIGKILL'));
  let said = '';
  forging.stdout?.on('data', (chunk: Buffer) => {
    said += String(chunk);
  });
  forging.stderr?.on('data', (chunk: Buffer) => {
    said += String(chunk);
  });
  await new Promise((resolve) => setTimeout(resolve, 300));
  forging.kill('SIGKILL');
  await settle();
  t.false(said.includes('SUBACK'));
  t.is(link.messages.length, 1);
});

test("mosquitto's tools work with a device's certificate", async (t) => {
  const fleet = await aFleet(t);
  const { port } = await aBroker(t, fleet);
  const link = await theLink(t, fleet, port);
  const args = await files(t, await fleet.device('pump-1'));
  const topic = upTopic('acme', 'pump-1', 'hello');
  const sent = await run(
    'mosquitto_pub',
    [...args, '-p', String(port), '-i', 'acme--pump-1', '-q', '1', '-t', topic, '-m', '{"a":1}'],
    { timeoutMs: 5000 },
  );
  t.is(sent.code, 0, sent.stderr);
  t.is(await link.message(topic), '{"a":1}');
});

test('a revoked device is not let in, and one that is in is kicked and gets nothing more', async (t) => {
  const fleet = await aFleet(t);
  const revoked = new Set<string>();
  const broker = await aBroker(t, fleet, { isAdmitted: (device) => !revoked.has(device) });
  const { port } = broker;
  const link = await theLink(t, fleet, port);
  const tls = await fleet.device('pump-1');
  const pump = aClient(t, { port, tls, clientId: 'acme--pump-1' });
  await pump.link.subscribe(['w1/acme/floor']);
  await pump.up();
  revoked.add('pump-1');
  await link.link.publish(floorTopic('acme'), Buffer.from('secret'), {});
  await settle();
  t.deepEqual(pump.messages, []);
  broker.kick('pump-1');
  await until(() => (pump.losses.length >= 2 ? true : undefined));
  t.is(pump.losses[1]?.code, 'LINK_AUTH');
});

test('an operator reads the tenant, writes signed documents, and nothing else', async (t) => {
  const fleet = await aFleet(t);
  const { port } = await aBroker(t, fleet);
  const link = await theLink(t, fleet, port);
  const eve = aClient(t, { port, tls: await fleet.operator('eve'), clientId: 'operator.eve.1' });
  await eve.link.subscribe(['w1/acme/#']);
  await eve.up();
  await link.link.publish(desiredTopic('acme', 'pump-1'), Buffer.from('x'), {});
  t.is(await eve.message(desiredTopic('acme', 'pump-1')), 'x');
  await eve.link.publish(desiredTopic('acme', 'pump-2'), Buffer.from('y'), { retain: true });
  t.is(await link.message(desiredTopic('acme', 'pump-2')), 'y');
  await eve.link.publish(floorTopic('acme'), Buffer.from('forged'), {}).catch(() => undefined);
  t.is((await eve.loss()).code, 'LINK_DOWN');
  t.false(link.messages.some(({ payload }) => payload === 'forged'));
});

test('a reader that stands still is dropped, and the others get everything in time', async (t) => {
  const fleet = await aFleet(t);
  const reasons: string[] = [];
  const log = {
    ...silent,
    info: () => undefined,
    warn: (facts: object) => reasons.push(String((facts as { reason?: string }).reason)),
  };
  const { port } = await aBroker(t, fleet, { log });
  const args = await files(t, await fleet.device('frozen'));
  const frozen = spawn('mosquitto_sub', [
    ...args,
    ...['-p', String(port), '-i', 'acme--frozen', '-t', 'w1/acme/rel/+', '-q', '1'],
  ]);
  t.teardown(() => frozen.kill('SIGKILL'));
  const pump = aClient(t, { port, tls: await fleet.device('pump-1'), clientId: 'acme--pump-1' });
  await pump.link.subscribe(['w1/acme/rel/+']);
  await pump.up();
  const link = await theLink(t, fleet, port);
  const name = (at: number): string => releaseTopic('acme', at.toString(16).padStart(64, '0'));
  await link.link.publish(name(0), Buffer.from('first'), {});
  await new Promise((resolve) => frozen.stdout.once('data', resolve));
  frozen.kill('SIGSTOP');
  for (let at = 1; at <= 150; at += 1) {
    await link.link.publish(name(at), Buffer.alloc(200_000), {});
  }
  await until(() => (pump.messages.length === 151 ? true : undefined));
  await until(() => reasons.find((reason) => reason.includes('too slowly')));
  t.pass();
});

test('a packet that claims 200 MB ends the connection before its bytes come', async (t) => {
  const fleet = await aFleet(t);
  const { port } = await aBroker(t, fleet);
  const { ca, cert, key } = await fleet.device('pump-1');
  const socket = connect({ host: '127.0.0.1', port, ca, cert, key });
  t.teardown(() => socket.destroy());
  socket.on('error', () => undefined);
  let isClosed = false;
  socket.once('close', () => {
    isClosed = true;
  });
  socket.write(Buffer.from([0x10, 0xff, 0xff, 0xff, 0x60]));
  await until(() => isClosed || undefined, 3000); // the wait for a CONNECT is longer
  t.pass();
});

test('garbage instead of MQTT ends only its own connection', async (t) => {
  const fleet = await aFleet(t);
  const { port } = await aBroker(t, fleet);
  const { ca, cert, key } = await fleet.device('pump-1');
  const socket = connect({ host: '127.0.0.1', port, ca, cert, key });
  t.teardown(() => socket.destroy());
  socket.on('error', () => undefined);
  const closed = new Promise<string>((resolve) => socket.once('close', () => resolve('closed')));
  socket.write(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
  t.is(await closed, 'closed');
  const pump = aClient(t, { port, tls: { ca, cert, key }, clientId: 'acme--pump-1' });
  await pump.up();
  t.pass();
});
