// A device whose network lets out nothing but the HTTPS port, and that by a proxy.

import { needs } from '../kit/needs.js';
import { configure } from '../kit/world/broker-story.js';
import { fleetAddress } from '../kit/world/net.js';
import { startProxy } from '../kit/world/proxy.js';
import { openStage } from '../kit/world/site.js';
import { httpsPort } from '../kit/world/world.js';

const peer = needs(['root', 'nft', 'ip']);

peer('over wss and an HTTP proxy a device takes part in a rollout like any other', async (t) => {
  const stage = await openStage(t, 'wss', ['a', 'b']);
  const [a] = stage.devices as [(typeof stage.devices)[0]];
  const proxy = await startProxy(stage.world);
  t.teardown(() => proxy.stop());
  const url = `wss://${fleetAddress}:${httpsPort}/mqtt`;
  await configure(a, { mqtt: { url }, proxy: proxy.url });
  await stage.release({ version: 'v1' });
  const result = await stage.rollout('v1');
  t.is(result.code, 0, result.text);
  for (const device of stage.devices) t.is(await stage.answer(device), 'hello from v1');
  t.deepEqual(
    proxy.asked(),
    [`CONNECT ${fleetAddress}:${httpsPort}`],
    'one connection, the broker’s',
  );
});
