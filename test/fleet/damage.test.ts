// SPDX-License-Identifier: Apache-2.0
// What the server does when its own files are damaged or lost: nobody gets in who was thrown out, and no key
// that devices trust is replaced.

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { openLog } from '../../adapters/log.js';
import { fleetPlaces } from '../../fleet/config.js';
import { type Served, type ServeOptions, serve } from '../../fleet/serve.js';
import { makeKey, readKey } from '../../images/sign/key.js';
import { enrolDevice } from '../../provisioning/device/enrol.js';
import { identityPlaces } from '../../provisioning/device/files.js';
import { loadIdentity } from '../../provisioning/device/identity.js';
import { connectDevice } from '../kit/fleet-device.js';
import { aClaim, aFleet, type TestFleet, tempFolder } from '../kit/fleet-server.js';

async function serveAgain(
  t: ExecutionContext,
  { root, served }: TestFleet,
  changed: Partial<ServeOptions> = {},
): Promise<Served> {
  const { httpsPort, mqttPort } = served();
  const log = openLog('test', 'silent');
  const at = { root, listen: '127.0.0.1', httpsPort, mqttPort, names: [], tenant: 'main', log };
  const again = await serve({ ...at, ...changed });
  t.teardown(() => again.close());
  return again;
}

const damages: ReadonlyArray<[string, (path: string) => Promise<unknown>]> = [
  ['damaged', (path) => wearOut(path)],
  ['empty', (path) => writeFile(path, '')],
  ['gone', (path) => rm(path)],
];

async function wearOut(path: string): Promise<void> {
  const file = await open(path, 'r+');
  await file.write(Buffer.alloc(4096, 0xa5), 0, 4096, 4096);
  await file.close();
}

for (const [what, damage] of damages) {
  test(`Attack: the database is ${what}, and the server is started: it refuses, again and again, and touches nothing`, async (t) => {
    const fleet = await aFleet(t);
    await fleet.served().close();
    const { database } = fleetPlaces(fleet.root);
    await damage(database);
    const before = await readFile(database).catch(() => undefined);
    for (let count = 0; count < 2; count += 1) {
      const error = await t.throwsAsync(serveAgain(t, fleet), { code: 'SERVE_DATABASE' });
      t.regex(error.message, /fleet\.db .*--accept-empty-database/);
    }
    t.deepEqual(await readFile(database).catch(() => undefined), before);
  });
}

test('Attack: a revoked device comes back after the database was damaged and begun anew: nobody knows it', async (t) => {
  const fleet = await aFleet(t);
  const configDir = join(await tempFolder(t), 'etc');
  await enrolDevice({ configDir, code: await aClaim(fleet), name: 'stolen' });
  await fleet.client.post('/v1/devices/stolen/revoke', {});
  await fleet.served().close();
  const { database } = fleetPlaces(fleet.root);
  await wearOut(database);
  await serveAgain(t, fleet, { acceptEmptyDatabase: true });
  t.true((await stat(`${database}.corrupt`)).size > 0, 'the damaged file is kept');
  const asked = Promise.race([
    connectDevice(t, configDir, 'good').then(() => 'let in'),
    new Promise((resolve) => setTimeout(resolve, 1000, 'kept out')),
  ]);
  t.is(await asked, 'kept out');
  t.is(await registryStatus(fleet, configDir), 401);
  // A new board may take the name: that is no way in for the old key.
  const mended = join(await tempFolder(t), 'etc');
  const { device } = await enrolDevice({
    configDir: mended,
    code: await aClaim(fleet),
    name: 'stolen',
  });
  t.is(device, 'stolen');
  t.is(await registryStatus(fleet, mended), 200);
  t.is(await registryStatus(fleet, configDir), 401);
});

test('a device in service is served by the registry, a revoked one is not', async (t) => {
  const fleet = await aFleet(t);
  const configDir = join(await tempFolder(t), 'etc');
  await enrolDevice({ configDir, code: await aClaim(fleet), name: 'pump' });
  t.is(await registryStatus(fleet, configDir), 200);
  await fleet.restart();
  t.is(await registryStatus(fleet, configDir), 200);
  await fleet.client.post('/v1/devices/pump/revoke', {});
  t.is(await registryStatus(fleet, configDir), 401);
});

async function registryStatus({ served }: TestFleet, configDir: string): Promise<number> {
  const identity = await loadIdentity(configDir);
  const { request } = await import('node:https');
  const { ca, cert, key } = identity ?? {};
  const options = { ca, cert, key, agent: false, port: served().httpsPort, host: '127.0.0.1' };
  return new Promise((resolve, reject) => {
    const sent = request({ ...options, path: '/v2/' }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.once('error', reject).end();
  });
}

test('Attack: a revoked device repeats its claim with the same key: it gets no fresh certificate', async (t) => {
  const fleet = await aFleet(t);
  const configDir = join(await tempFolder(t), 'etc');
  const code = await aClaim(fleet);
  await enrolDevice({ configDir, code, name: 'stolen' });
  await fleet.client.post('/v1/devices/stolen/revoke', {});
  const places = identityPlaces(configDir);
  await writeFile(places.pendingKey, await readFile(places.key), { mode: 0o600 });
  for (const path of [places.ca, places.cert, places.key, places.config, places.trust])
    await rm(path);
  await t.throwsAsync(enrolDevice({ configDir, code, name: 'stolen' }), {
    code: 'ENROL_REFUSED',
    message: /stolen is revoked/,
  });
});

test('a power cut between the operator’s key and certificate: the next start makes a pair that fits', async (t) => {
  const fleet = await aFleet(t);
  await fleet.served().close();
  const { operator } = fleetPlaces(fleet.root);
  const other = await aFleet(t);
  const foreign = join(fleetPlaces(other.root).operator, 'client.key');
  await writeFile(join(operator, 'client.key'), await readFile(foreign));
  await serveAgain(t, fleet);
  const cert = new X509Certificate(await readFile(join(operator, 'client.cert')));
  const key = createPrivateKey(await readFile(join(operator, 'client.key')));
  t.true(cert.checkPrivateKey(key));
});

test('a lost release.json does not replace the release key that the operator signs with', async (t) => {
  const fleet = await aFleet(t);
  await fleet.served().close();
  const { operator, keys } = fleetPlaces(fleet.root);
  const mine = makeKey().privateKey;
  await writeFile(join(operator, 'release-key.pem'), mine, { mode: 0o600 });
  await rm(join(keys, 'release.json'));
  await serveAgain(t, fleet);
  t.is(await readFile(join(operator, 'release-key.pem'), 'utf8'), mine);
  const trusted = JSON.parse(await readFile(join(keys, 'release.json'), 'utf8')) as unknown;
  t.deepEqual(trusted, [readKey(mine)]);
});
