// SPDX-License-Identifier: Apache-2.0
// Renewal at a whole fleet server: what comes out is an identity that works, and a failure changes nothing.

import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { enrolDevice } from '../../provisioning/device/enrol.js';
import { identityPlaces } from '../../provisioning/device/files.js';
import { type DeviceIdentity, loadIdentity } from '../../provisioning/device/identity.js';
import { renewAt, renewIdentity } from '../../provisioning/device/renew.js';
import { aFleet as strangers } from '../kit/edges-fleet.js';
import { aClaim, aFleet, type TestFleet } from '../kit/fleet-server.js';

interface Scene {
  readonly fleet: TestFleet;
  readonly configDir: string;
  readonly identity: DeviceIdentity;
}

async function aScene(t: ExecutionContext): Promise<Scene> {
  const fleet = await aFleet(t);
  const configDir = await mkdtemp(join(tmpdir(), 'wherry-renew-'));
  t.teardown(() => rm(configDir, { recursive: true, force: true }));
  await enrolDevice({ configDir, code: await aClaim(fleet), name: 'pump-1' });
  const identity = await loadIdentity(configDir);
  if (identity === undefined) throw new Error('no identity');
  return { fleet, configDir, identity };
}

test('a renewal gives a new key and certificate of the same name, in every place', async (t) => {
  const { configDir, identity } = await aScene(t);
  const fresh = await renewIdentity(configDir, identity);
  t.not(fresh?.cert, identity.cert);
  t.not(fresh?.key, identity.key);
  const { subject, validTo } = new X509Certificate(fresh?.cert ?? '');
  t.is(subject, new X509Certificate(identity.cert).subject);
  t.true(Date.parse(validTo) > Date.now() + 300 * 86_400_000);
  t.deepEqual(await loadIdentity(configDir), fresh);
  for (const host of Object.keys(identity.registries)) {
    const path = join(identityPlaces(configDir).certs, host, 'client.cert');
    t.is(readFileSync(path, 'utf8'), fresh?.cert ?? '');
  }
  t.false(existsSync(identityPlaces(configDir).renewKey));
  t.truthy(await renewIdentity(configDir, fresh ?? identity), 'the new one renews itself');
});

test('Attack: a key from before the last renewal is let in nowhere, also after a restart', async (t) => {
  const { fleet, configDir, identity } = await aScene(t);
  const second = (await renewIdentity(configDir, identity)) ?? identity;
  t.truthy(await renewIdentity(configDir, identity), 'the answer may have been lost');
  const third = (await renewIdentity(configDir, identity)) ?? identity;
  const refused = { code: 'RENEW_REFUSED' } as never;
  await t.throwsAsync(renewIdentity(configDir, second), refused);
  const fourth = (await renewIdentity(configDir, third)) ?? identity;
  await t.throwsAsync(renewIdentity(configDir, identity), refused);
  await fleet.restart();
  await t.throwsAsync(renewIdentity(configDir, identity), refused);
  t.truthy(await renewIdentity(configDir, fourth));
});

test('a revoked device gets no new certificate, and what it has stays', async (t) => {
  const { fleet, configDir, identity } = await aScene(t);
  await fleet.client.post(`/v1/devices/pump-1/revoke`);
  await t.throwsAsync(renewIdentity(configDir, identity), { code: 'RENEW_REFUSED' } as never);
  t.deepEqual(await loadIdentity(configDir), identity);
});

test('Attack: a certificate of another authority with the same name is refused', async (t) => {
  const { configDir, identity } = await aScene(t);
  const { cert, key } = await (await strangers(t, 'main')).device('pump-1');
  const forged = { ...identity, cert, key };
  await t.throwsAsync(renewIdentity(configDir, forged), { code: 'RENEW_REFUSED' } as never);
});

test('an operator is no device', async (t) => {
  const { fleet, configDir, identity } = await aScene(t);
  const { cert, key } = fleet.client.operator.tls;
  const posing = { ...identity, cert, key };
  await t.throwsAsync(renewIdentity(configDir, posing), { code: 'RENEW_REFUSED' } as never);
});

test('a server that is away is tried again with the same key', async (t) => {
  const { fleet, configDir, identity } = await aScene(t);
  await fleet.served().close();
  const { renewKey } = identityPlaces(configDir);
  await t.throwsAsync(renewIdentity(configDir, identity), { code: 'ENROL_UNREACHABLE' } as never);
  const key = readFileSync(renewKey, 'utf8');
  await fleet.restart();
  const fresh = await renewIdentity(configDir, identity);
  t.is(fresh?.key, key);
});

test('it is due between two thirds and three quarters of the life, not for all at once', async (t) => {
  const { identity } = await aScene(t);
  const { validFrom, validTo } = new X509Certificate(identity.cert);
  const from = Date.parse(validFrom);
  const life = Date.parse(validTo) - from;
  const shares = Array.from({ length: 200 }, (_, at) => {
    const device = `pump-${at}`;
    return (renewAt({ ...identity, device }) - from) / life;
  });
  t.true(shares.every((share) => share >= 2 / 3 && share <= 3 / 4));
  t.true(Math.max(...shares) - Math.min(...shares) > 0.07);
});
