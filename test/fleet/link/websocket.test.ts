// SPDX-License-Identifier: Apache-2.0
// MQTT on the HTTPS port, and through a proxy: the way out of networks that let nothing else through.

import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { projectFolder } from '../../../adapters/places.js';
import { fleetPlaces } from '../../../fleet/config.js';
import { desiredTopic, upTopic } from '../../../protocol/topic.js';
import { openAuthority } from '../../../provisioning/authority/authority.js';
import { enrolDevice } from '../../../provisioning/device/enrol.js';
import { loadIdentity } from '../../../provisioning/device/identity.js';
import { aClient, type Credentials, aFleet as strangers, until } from '../../kit/edges-fleet.js';
import { aClaim, aFleet, type TestFleet } from '../../kit/fleet-server.js';

interface Scene {
  readonly fleet: TestFleet;
  readonly httpsPort: number;
  readonly mqttPort: number;
  readonly device: Credentials;
  readonly operator: Credentials;
}

async function aScene(t: ExecutionContext): Promise<Scene> {
  const fleet = await aFleet(t);
  const { httpsPort, mqttPort } = fleet.served();
  const folder = fleetPlaces(fleet.root).authority;
  const authority = await openAuthority(folder, { tenant: 'main', names: ['127.0.0.1'] });
  const configDir = await mkdtemp(join(tmpdir(), 'wherry-ws-'));
  t.teardown(() => rm(configDir, { recursive: true, force: true }));
  await enrolDevice({ configDir, code: await aClaim(fleet), name: 'pump-1' });
  const identity = await loadIdentity(configDir);
  if (identity === undefined) throw new Error('no identity');
  const { ca, cert, key } = identity;
  const operator = { ca, ...(await authority.issueOperator('eve')) };
  return { fleet, httpsPort, mqttPort, device: { ca, cert, key }, operator };
}

const wss = { transport: 'wss' } as const;

interface ConnectProxy {
  readonly url: string;
  /** What was asked of it: `CONNECT HOST:PORT`, and the login. */
  readonly asked: string[];
}

/** A small real proxy that knows CONNECT alone; with a login, nobody comes through without. */
async function aProxy(t: ExecutionContext, login?: string): Promise<ConnectProxy> {
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  const server: Server = createServer((_request, response) => response.writeHead(405).end());
  server.on('connect', (request, client: Socket) => {
    const given = request.headers['proxy-authorization'];
    asked.push(`CONNECT ${request.url}`);
    if (login !== undefined && given !== `Basic ${Buffer.from(login).toString('base64')}`) {
      client.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
      return;
    }
    const [host, port] = (request.url ?? '').split(':');
    const target = connect(Number(port), host, () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      client.pipe(target).pipe(client);
    });
    for (const socket of [client, target]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const name = login === undefined ? '' : `${login}@`;
  return { url: `http://${name}127.0.0.1:${port}`, asked };
}

test('a device speaks MQTT on the HTTPS port, both ways, long messages too', async (t) => {
  const { httpsPort, mqttPort, device, operator } = await aScene(t);
  const eve = aClient(t, { port: mqttPort, tls: operator, clientId: 'operator.eve' });
  await eve.link.subscribe(['w1/main/#']);
  await eve.up();
  const pump = aClient(t, { ...wss, port: httpsPort, tls: device, clientId: 'main--pump-1' });
  await pump.link.subscribe([desiredTopic('main', 'pump-1')]);
  await pump.up();
  const long = 'x'.repeat(200_000);
  await pump.link.publish(upTopic('main', 'pump-1', 'reported'), Buffer.from(long), {});
  t.is(await eve.message(upTopic('main', 'pump-1', 'reported')), long);
  await eve.link.publish(desiredTopic('main', 'pump-1'), Buffer.from(long), {});
  t.is(await pump.message(desiredTopic('main', 'pump-1')), long);
});

test('the rules are the same as on the other port, and a restart is mended', async (t) => {
  const { fleet, httpsPort, device } = await aScene(t);
  const pump = aClient(t, { ...wss, port: httpsPort, tls: device, clientId: 'main--pump-1' });
  await pump.up();
  await t.throwsAsync(pump.link.subscribe(['w1/main/#']), { code: 'LINK_SUBSCRIBE' });
  const topic = upTopic('main', 'pump-2', 'event');
  await pump.link.publish(topic, Buffer.from('{}'), {}).catch(() => undefined);
  t.is((await pump.loss()).code, 'LINK_DOWN');
  await until(() => (pump.link.connected ? true : undefined));
  const before = pump.losses.length;
  await fleet.restart();
  await until(() => (pump.losses.length > before && pump.link.connected ? true : undefined));
  t.pass();
});

test('Attack: a certificate of another authority is turned away before MQTT begins', async (t) => {
  const { httpsPort, device } = await aScene(t);
  const stranger = await (await strangers(t, 'main')).device('pump-1');
  const eve = aClient(t, {
    ...{ ...wss, port: httpsPort, clientId: 'main--pump-1' },
    tls: { ...stranger, ca: device.ca },
  });
  t.is((await eve.loss()).code, 'LINK_AUTH');
});

test('another path is no broker', async (t) => {
  const { httpsPort, device } = await aScene(t);
  const lost = aClient(t, {
    ...{ ...wss, port: httpsPort, tls: device, clientId: 'main--pump-1' },
    path: '/other',
  });
  const loss = await lost.loss();
  t.is(loss.code, 'LINK_REFUSED');
  t.regex(loss.message, /404/);
});

test('mqtts and wss both go through an HTTP CONNECT proxy, which sees the name and no more', async (t) => {
  const { httpsPort, mqttPort, device } = await aScene(t);
  const proxy = await aProxy(t, 'pump:s3cret');
  for (const way of [{ ...wss, port: httpsPort }, { port: mqttPort }]) {
    const pump = aClient(t, {
      ...{ ...way, tls: device, clientId: 'main--pump-1', proxy: proxy.url },
    });
    await pump.up();
    await pump.link.publish(upTopic('main', 'pump-1', 'hello'), Buffer.from('{}'), {});
    await pump.link.close();
  }
  t.deepEqual(proxy.asked, [`CONNECT 127.0.0.1:${httpsPort}`, `CONNECT 127.0.0.1:${mqttPort}`]);
});

test('a proxy that refuses or is away is LINK_PROXY, and names itself and not the password', async (t) => {
  const { mqttPort, device } = await aScene(t);
  const { url } = await aProxy(t, 'pump:s3cret');
  const wrong = url.replace('s3cret', 'guess');
  for (const [proxy, words] of [
    [wrong, /407/],
    ['http://127.0.0.1:9', /ECONNREFUSED/],
  ] as const) {
    const pump = aClient(t, { port: mqttPort, tls: device, clientId: 'main--pump-1', proxy });
    const loss = await pump.loss();
    t.is(loss.code, 'LINK_PROXY');
    t.regex(loss.message, words);
    t.notRegex(loss.message, /guess/);
    await pump.link.close();
  }
});

test('a link on mqtts loads nothing of WebSocket', async (t) => {
  const dist = process.env['WHERRY_DIST'] ?? 'dist';
  const link = join(projectFolder(), dist, 'agent/link/link.js');
  const words = `import(${JSON.stringify(link)}).then(async () => {
    const { _cache } = (await import('node:module')).default;
    const loaded = Object.keys(_cache).filter((path) => path.includes('/node_modules/ws/'));
    console.log(JSON.stringify([Object.keys(_cache).length > 10, loaded]));
  })`;
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', words]);
  t.deepEqual(JSON.parse(stdout), [true, []]);
});
