// Question: does a cut cable or a full disk ever harm what runs, and does the update go through afterwards?

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { needs } from '../kit/needs.js';
import { runIn, until } from '../kit/world/program.js';
import { openStage } from '../kit/world/site.js';

const fault = needs(['root', 'nft', 'ip']);

fault('a cable cut in the middle of an update delays it, and nothing more', async (t) => {
  const stage = await openStage(t, 'cut', ['a']);
  const [device] = stage.devices as [(typeof stage.devices)[0]];
  await stage.release({ version: 'v1' });
  t.is((await stage.rollout('v1')).code, 0);
  await stage.release({ version: 'v2' });
  await stage.world.fleet.cli([
    'rollout',
    'start',
    'web:v2',
    '--canary',
    '1',
    '--bake',
    '0s',
    '--deadline',
    '5m',
  ]);
  await stage.world.site.setLink('a', false);
  await new Promise((resolve) => setTimeout(resolve, 3000));
  const inside = await runIn(device.netns, [
    'busybox',
    'wget',
    '-q',
    '-O',
    '-',
    `http://${device.address}:8080/`,
  ]);
  t.regex(
    inside.stdout,
    /hello from v[12]/,
    'it serves on the device itself while the cable is cut',
  );
  await stage.world.site.setLink('a', true);
  await stage.answers(device, 'hello from v2', 60_000);
});

fault('a full disk refuses the update with NO_SPACE, and the old release goes on', async (t) => {
  const stage = await openStage(t, 'full', ['a']);
  const [device] = stage.devices as [(typeof stage.devices)[0]];
  await stage.release({ version: 'v1' });
  t.is((await stage.rollout('v1')).code, 0);
  const layers = join(device.root, 'var/lib/wherry/staging');
  mkdirSync(layers, { recursive: true });
  t.is(
    (
      await runIn(undefined, [
        'mount',
        '-t',
        'tmpfs',
        '-o',
        'size=16k,nr_inodes=8',
        'w-full',
        layers,
      ])
    ).code,
    0,
  );
  t.teardown(() => runIn(undefined, ['umount', '-l', layers]));
  await stage.release({ version: 'v2' });
  await stage.world.fleet.cli([
    'rollout',
    'start',
    'web:v2',
    '--canary',
    '1',
    '--bake',
    '0s',
    '--deadline',
    '5m',
  ]);
  const status = await until('the device says why', 30_000, async () => {
    const now = await stage.status(device);
    return now.conditions.some((condition) => condition.code === 'NO_SPACE') ? now : undefined;
  });
  t.truthy(status);
  t.is(await stage.answer(device), 'hello from v1');
  await runIn(undefined, ['umount', '-l', layers]);
  await stage.answers(device, 'hello from v2', 90_000);
});
