import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../adapters/clock.js';
import { placesOf } from '../../adapters/places.js';
import { fleetPlaces } from '../../fleet/config.js';
import { openAuthority } from '../../provisioning/authority/authority.js';
import { makeRequest } from '../../provisioning/device/csr.js';
import { writeIdentity } from '../../provisioning/device/files.js';
import { loadIdentity } from '../../provisioning/device/identity.js';
import { readKey } from '../../provisioning/device/key.js';
import { needs } from '../kit/needs.js';
import { fleetAddress } from '../kit/world/net.js';
import { until } from '../kit/world/program.js';
import { openStage } from '../kit/world/site.js';

const lab = needs(['root', 'nft', 'ip']);
const dayMs = 86_400_000;

lab('a device whose certificate has grown old renews it by itself, and goes on', async (t) => {
  const stage = await openStage(t, 'renew', ['a']);
  const [device] = stage.devices as [(typeof stage.devices)[0]];
  await stage.release({ version: 'v1' });
  t.is((await stage.rollout('v1')).code, 0);
  await device.stop();

  // As it would be 300 days after the enrolment.
  const { config } = placesOf(device.root);
  const identity = await loadIdentity(config);
  const privateKey = readKey(identity?.key ?? '');
  if (identity === undefined || privateKey === undefined) throw new Error('no identity');
  const past = { ...systemClock, now: () => Date.now() - 300 * dayMs };
  const { authority: folder } = fleetPlaces(stage.world.fleet.root);
  const names = [fleetAddress];
  const authority = await openAuthority(folder, { tenant: 'main', names }, past);
  const certificate = await authority.issueDevice(makeRequest(privateKey), 'a');
  const { ca, key, tenant, mqtt, api, registries, trust } = identity;
  if (api === undefined) throw new Error('the fleet did not say where to renew');
  await writeIdentity(config, key, {
    ...{ tenant, device: 'a', certificate, authority: ca, trust, mqtt, api, registries },
  });

  await device.start();
  const path = join(config, 'identity/client.cert');
  await until('the certificate is new', 30_000, () => {
    const { validTo } = new X509Certificate(readFileSync(path, 'utf8'));
    return Date.parse(validTo) > Date.now() + 360 * dayMs ? true : undefined;
  });
  await until('the link is there again', 20_000, () =>
    device.output().includes('the certificate was renewed') ? true : undefined,
  );
  await stage.release({ version: 'v2' });
  t.is((await stage.rollout('v2')).code, 0);
  t.is(await stage.answer(device), 'hello from v2');
});
