// SPDX-License-Identifier: Apache-2.0
// The MQTT adapter against mosquitto, the broker that others run: reconnecting, subscriptions that come
// back, bounded queues, and reasons for a loss that a person can act on.

import { type ChildProcess, spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { inFlightMax, waitingMax } from '../../adapters/mqtt.js';
import { packetBound } from '../../adapters/packet-bound.js';
import { payloadBytesMax } from '../../adapters/zstd.js';
import { codeOf } from '../../protocol/error.js';
import { aClient, aFleet, type TestFleet, until } from '../kit/edges-fleet.js';
import { needsBeside } from '../kit/needs.js';

const program = '/usr/sbin/mosquitto';
const withBroker = needsBeside(['mosquitto']);

interface Mosquitto {
  readonly port: number;
  start(): Promise<void>;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function aMosquitto(t: ExecutionContext, fleet: TestFleet): Promise<Mosquitto> {
  const port = await freePort();
  const at = (name: string): string => join(fleet.dir, name);
  await writeFile(at('ca.crt'), fleet.authority.certificatePem);
  await writeFile(at('server.crt'), fleet.authority.server.cert);
  await writeFile(at('server.key'), fleet.authority.server.key);
  const lines = [
    `listener ${port} 127.0.0.1`,
    `cafile ${at('ca.crt')}`,
    `certfile ${at('server.crt')}`,
    `keyfile ${at('server.key')}`,
    'require_certificate true',
    'use_identity_as_username true',
    'use_username_as_clientid true',
    ...(process.getuid?.() === 0 ? ['user root'] : []),
  ];
  await writeFile(at('mosquitto.conf'), `${lines.join('\n')}\n`);
  let child: ChildProcess | undefined;
  const stop = async (signal: NodeJS.Signals = 'SIGKILL'): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child?.once('exit', resolve));
    child.kill(signal);
    await ended;
  };
  t.teardown(() => stop());
  return {
    port,
    stop,
    start: async () => {
      const started = spawn(program, ['-c', at('mosquitto.conf')], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      child = started;
      await new Promise<void>((resolve, reject) => {
        started.stderr.on('data', (chunk: Buffer) => {
          if (String(chunk).includes('running')) resolve();
        });
        started.once('exit', () => reject(new Error('mosquitto did not start')));
      });
    },
  };
}

withBroker('after a killed broker comes back, the subscriptions are there again', async (t) => {
  const fleet = await aFleet(t);
  const broker = await aMosquitto(t, fleet);
  await broker.start();
  const { port } = broker;
  const client = aClient(t, { port, tls: await fleet.device('a'), clientId: 'acme--a' });
  await client.link.subscribe(['x/#']);
  await client.up();
  await client.link.publish('x/1', Buffer.from('one'), {});
  t.is(await client.message('x/1'), 'one');

  await broker.stop();
  t.is((await client.loss()).code, 'LINK_DOWN');
  t.false(client.link.connected);
  await t.throwsAsync(client.link.publish('x/2', Buffer.from('two'), {}), { code: 'LINK_DOWN' });
  await until(() => client.losses.find(({ code }) => code === 'LINK_REFUSED'));

  await broker.start();
  await client.up();
  await client.link.publish('x/3', Buffer.from('three'), {});
  t.is(await client.message('x/3'), 'three');
});

withBroker(
  'a burst is taken up to the bound, sent in order, and what is beyond it is refused',
  async (t) => {
    const fleet = await aFleet(t);
    const broker = await aMosquitto(t, fleet);
    await broker.start();
    const { port } = broker;
    const client = aClient(t, { port, tls: await fleet.device('a'), clientId: 'acme--a' });
    await client.link.subscribe(['n/+']);
    await client.up();
    const room = inFlightMax + waitingMax;
    const sent = Array.from({ length: room + 10 }, (_, at) =>
      client.link.publish(`n/${at}`, Buffer.from(String(at)), {}).then(
        () => 'sent',
        (error: unknown) => codeOf(error),
      ),
    );
    const answers = await Promise.all(sent);
    t.deepEqual(
      answers,
      answers.map((_, at) => (at < room ? 'sent' : 'LINK_QUEUE_FULL')),
    );
    await client.message(`n/${room - 1}`);
    t.deepEqual(
      client.messages.map(({ payload }) => Number(payload)),
      Array.from({ length: room }, (_, at) => at),
    );
  },
);

withBroker('what is under way when the link breaks is given back with LINK_DOWN', async (t) => {
  const fleet = await aFleet(t);
  const broker = await aMosquitto(t, fleet);
  await broker.start();
  const { port } = broker;
  const client = aClient(t, { port, tls: await fleet.device('a'), clientId: 'acme--a' });
  await client.up();
  const sent = Array.from({ length: 40 }, () =>
    client.link.publish('x', Buffer.alloc(200_000), {}).then(
      () => 'sent',
      (error: unknown) => codeOf(error),
    ),
  );
  await broker.stop();
  const answers = await Promise.all(sent);
  t.true(answers.every((answer) => answer === 'sent' || answer === 'LINK_DOWN'));
  t.true(answers.includes('LINK_DOWN'));
});

withBroker('mosquitto refusing a certificate of another authority is LINK_AUTH', async (t) => {
  const fleet = await aFleet(t);
  const broker = await aMosquitto(t, fleet);
  await broker.start();
  const foreign = await aFleet(t);
  const tls = { ...(await foreign.device('a')), ca: fleet.authority.certificatePem };
  const client = aClient(t, { port: broker.port, tls, clientId: 'acme--a' });
  t.is((await client.loss()).code, 'LINK_AUTH');
});

withBroker(
  'a wrong name in the certificate is LINK_CERTIFICATE, nobody there is LINK_REFUSED',
  async (t) => {
    const fleet = await aFleet(t);
    const broker = await aMosquitto(t, fleet);
    await broker.start();
    const tls = await fleet.device('a');
    const { port } = broker;
    const wrong = aClient(t, { port, tls, clientId: 'acme--a', servername: 'other.example' });
    t.is((await wrong.loss()).code, 'LINK_CERTIFICATE');
    const nobody = aClient(t, { port: await freePort(), tls, clientId: 'acme--a' });
    t.is((await nobody.loss()).code, 'LINK_REFUSED');
  },
);

test('a payload beyond the bound is refused before it is sent', async (t) => {
  const fleet = await aFleet(t);
  const client = aClient(t, { port: 1, tls: await fleet.device('a'), clientId: 'acme--a' });
  const bytes = Buffer.alloc(payloadBytesMax + 1);
  await t.throwsAsync(client.link.publish('x', bytes, {}), { code: 'LINK_TOO_LARGE' });
});

test('the packet bound follows the framing however the bytes are cut', (t) => {
  const packet = (length: number): Buffer => {
    const head = [0x30];
    let rest = length;
    do {
      head.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
      rest >>= 7;
    } while (rest > 0);
    return Buffer.concat([Buffer.from(head), Buffer.alloc(length, 0xff)]);
  };
  const sound = Buffer.concat([0, 1, 127, 128, 5000, 0, 300].map(packet));
  for (const size of [1, 2, 3, 7, 100, 100_000]) {
    const isWithin = packetBound(5000);
    for (let at = 0; at < sound.length; at += size) {
      if (!isWithin(sound.subarray(at, at + size))) t.fail(`cut at ${size}`);
    }
  }
  t.false(packetBound(5000)(packet(5001)));
  t.false(packetBound(5000)(Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 0x01])));
  const isWithin = packetBound(5000);
  t.true(isWithin(sound));
  t.false(isWithin(packet(20_000)));
});
