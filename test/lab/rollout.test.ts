import { needs } from '../kit/needs.js';
import { until } from '../kit/world/program.js';
import { openStage } from '../kit/world/site.js';

const lab = needs(['root', 'nft', 'ip']);

lab('a release goes canary first, then in waves, to every device', async (t) => {
  const stage = await openStage(t, 'roll', ['a', 'b', 'c']);
  await stage.release({ version: 'v1' });
  const result = await stage.rollout('v1');
  t.is(result.code, 0, result.text);
  for (const device of stage.devices) t.is(await stage.answer(device), 'hello from v1');
});

lab('a sick release stops at the canary, which goes back by itself', async (t) => {
  const stage = await openStage(t, 'sick', ['a', 'b']);
  await stage.release({ version: 'v1' });
  t.is((await stage.rollout('v1')).code, 0);
  await stage.release({ version: 'v2', sick: true });
  const result = await stage.rollout('v2');
  t.not(result.code, 0);
  t.regex(result.text, /GATE_UNHEALTHY/);
  for (const device of stage.devices) await stage.answers(device, 'hello from v1');
  const failed = await Promise.all(
    stage.devices.map(async (device) => (await stage.status(device)).failed),
  );
  t.is(failed.filter((each) => each !== null).length, 1);
});

lab('a device that was away gets the newest release when it comes back', async (t) => {
  const stage = await openStage(t, 'away', ['a', 'b']);
  await stage.release({ version: 'v1' });
  t.is((await stage.rollout('v1')).code, 0);
  const [here, away] = stage.devices as [(typeof stage.devices)[0], (typeof stage.devices)[0]];
  await away.stop();
  t.is(await stage.answer(away), 'hello from v1', 'its container goes on without the agent');
  await stage.release({ version: 'v2' });
  await stage.world.fleet.cli([
    'rollout',
    'start',
    'web:v2',
    '--canary',
    '2',
    '--bake',
    '0s',
    '--deadline',
    '5m',
  ]);
  await stage.answers(here, 'hello from v2');
  t.is(await stage.answer(away), 'hello from v1');
  await away.start();
  await stage.answers(away, 'hello from v2');
});

lab('a device that boots with no network runs what it ran', async (t) => {
  const stage = await openStage(t, 'boot', ['a']);
  await stage.release({ version: 'v1' });
  t.is((await stage.rollout('v1')).code, 0);
  const [device] = stage.devices as [(typeof stage.devices)[0]];
  await stage.world.fleet.stop();
  await device.stop();
  await device.powerOff();
  t.is(await stage.answer(device), undefined, 'the device is dark');
  await device.start();
  await stage.answers(device, 'hello from v1');
});

lab("a fleet server that lost its broker's memory brings every device up to date", async (t) => {
  const stage = await openStage(t, 'wipe', ['a']);
  await stage.release({ version: 'v1' });
  t.is((await stage.rollout('v1')).code, 0);
  await stage.world.fleet.stop();
  await stage.world.fleet.start(); // the embedded broker keeps nothing over a restart
  await stage.release({ version: 'v2' });
  const result = await stage.rollout('v2');
  t.is(result.code, 0, result.text);
  t.is(await stage.answer(stage.devices[0] as (typeof stage.devices)[0]), 'hello from v2');
});

lab('an aborted rollout assigns nobody any more', async (t) => {
  const stage = await openStage(t, 'abort', ['a', 'b']);
  await stage.release({ version: 'v1' });
  const start = [
    'rollout',
    'start',
    'web:v1',
    '--canary',
    '1',
    '--wave',
    '100%',
    '--bake',
    '60s',
    '--deadline',
    '5m',
  ];
  await stage.world.fleet.cli(start);
  await until('the canary answers', 30_000, async () => {
    const all = await Promise.all(stage.devices.map(stage.answer));
    return all.includes('hello from v1') ? true : undefined;
  });
  const [rollout] = await stage.world.fleet.json<Array<{ id: string }>>(['rollout', 'ls']);
  await stage.world.fleet.cli(['rollout', 'abort', rollout?.id ?? '']);
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const all = await Promise.all(stage.devices.map(stage.answer));
  t.is(all.filter((text) => text !== undefined).length, 1);
});
