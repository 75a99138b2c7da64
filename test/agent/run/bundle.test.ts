// SPDX-License-Identifier: Apache-2.0
// Bundles on disk and volumes that take the image's content.

import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { systemClock } from '../../../adapters/clock.js';
import { placesOf } from '../../../adapters/places.js';
import { makeBundle } from '../../../agent/run/bundle.js';
import { checkRuntimeFolder, layoutOf, runDirOf } from '../../../agent/run/layout.js';
import { findContainers } from '../../../agent/run/made.js';
import { openRun } from '../../../agent/run/run.js';
import { volumeData } from '../../../agent/run/volumes.js';
import {
  aDevice,
  aLayer,
  anImageConfig,
  aSpec,
  aWorkload,
  digestOf,
  silent,
  tempFolder,
} from '../../kit/box-container.js';
import { needs } from '../../kit/needs.js';

test('A bundle is written whole, and the same spec again changes nothing', async (t) => {
  const { places, store } = await aDevice(t);
  const layer = aLayer(join(places.root, 'layer'), { 'etc/passwd': 'www:x:33:33::/var/www:\n' });
  const workload = aWorkload({ user: 'www', labels: { a: 'b' } });
  const spec = aSpec([layer], { workload });
  const facts = { places, store, address: `${places.subnet}.5`, bindRoots: [], now: 0 };
  const record = await makeBundle(spec, facts);
  const layout = layoutOf(join(places.state, 'containers', spec.id));
  const config = JSON.parse(readFileSync(layout.config, 'utf8'));
  t.is(config.process.user.uid, 33);
  t.is(config.annotations.a, 'b');
  t.true(existsSync(join(layout.bundle, 'rootfs')));
  t.is(readFileSync(layout.hostname, 'utf8'), 'web\n');
  t.is(record.address, facts.address);
  t.is(statSync(layout.upper).mode & 0o777, 0o755, 'the container’s root, whatever our umask');
  t.is(statSync(layout.hosts).mode & 0o777, 0o644);
  const stamp = statSync(layout.config).mtimeMs;
  t.deepEqual(await makeBundle(spec, { ...facts, address: `${places.subnet}.9` }), record);
  t.is(statSync(layout.config).mtimeMs, stamp);
});

test('A bundle that was cut short is made again, with a fresh writable layer', async (t) => {
  const { places, store } = await aDevice(t);
  const layer = aLayer(join(places.root, 'layer'), {});
  const spec = aSpec([layer]);
  const facts = { places, store, address: `${places.subnet}.5`, bindRoots: [], now: 0 };
  await makeBundle(spec, facts);
  const layout = layoutOf(join(places.state, 'containers', spec.id));
  writeFileSync(join(layout.upper, 'left'), '');
  rmSync(layout.record);
  t.deepEqual(await findContainers(places), []);
  await makeBundle(spec, facts);
  t.false(existsSync(join(layout.upper, 'left')));
  t.is((await findContainers(places)).length, 1);
});

test('Attack: a folder that a bind asks to be made is not made through a link that a container laid', async (t) => {
  const { places, store } = await aDevice(t);
  const [allowed, outside] = [join(places.root, 'allowed'), join(places.root, 'outside')];
  for (const folder of [allowed, outside]) mkdirSync(folder);
  symlinkSync(outside, join(allowed, 'link'));
  const make = (source: string) => {
    const mounts = [{ type: 'bind', source, target: '/data', createHostPath: true }] as const;
    const spec = aSpec([aLayer(join(places.root, 'layer'), {})], {
      workload: aWorkload({ mounts: [...mounts] }),
    });
    const address = `${places.subnet}.5`;
    return makeBundle(spec, { places, store, address, bindRoots: [allowed], now: 0 });
  };
  const refused = { code: 'RUN_BIND' } as never;
  await t.throwsAsync(make(join(allowed, 'link/x')), refused);
  await t.throwsAsync(make(join(outside, 'x')), refused);
  t.false(existsSync(join(outside, 'x')));
  await make(join(allowed, 'a/b'));
  t.true(existsSync(join(allowed, 'a/b')));
});

test('Two containers get two addresses, and each keeps its own', async (t) => {
  const { places, store } = await aDevice(t);
  const run = await openRun({ places, store, log: silent, clock: systemClock });
  const layer = aLayer(join(places.root, 'layer'), {});
  const specs = ['web', 'db', 'api'].map((name) =>
    aSpec([layer], { workload: aWorkload({ name }) }),
  );
  await Promise.all(specs.map((spec) => run.create(spec)));
  const before = (await run.list()).map((made) => made.address);
  t.is(new Set(before).size, 3);
  const again = await openRun({ places, store, log: silent, clock: systemClock });
  for (const spec of specs) await again.create(spec);
  t.deepEqual(
    (await again.list()).map((made) => made.address),
    before,
  );
  t.true((await again.list()).every((made) => made.status === undefined));
});

test('What a cut left without a record is taken away by the next agent', async (t) => {
  const { places, store } = await aDevice(t);
  const left = await store.folders.container('web-left');
  writeFileSync(join(left, 'keep.json'), '{}');
  const run = await openRun({ places, store, log: silent, clock: systemClock });
  t.false(existsSync(left));
  t.deepEqual(await run.list(), []);
});

test('A root that is too long for a socket is refused at once with its length', (t) => {
  const error = t.throws(() => checkRuntimeFolder(placesOf(`/tmp/${'x'.repeat(80)}`)), {
    code: 'CONFIG_BAD',
  });
  t.regex(error?.message ?? '', /shorter --root/);
  t.notThrows(() => checkRuntimeFolder(placesOf('/')));
});

test('Long container ids have short runtime folders of their own', (t) => {
  const places = placesOf('/');
  const long = 'a'.repeat(63);
  t.not(runDirOf(places, `${long}-1`), runDirOf(places, `${long}-2`));
  t.true(runDirOf(places, `${long}-1`).length < 50);
  t.is(runDirOf(places, 'web-0123456789'), '/run/wherry/keep/web-0123456789');
});

needs(['root'])(
  'A new volume takes the image’s content over all layers, with owners, modes and links',
  async (t) => {
    const { places, store } = await aDevice(t);
    const lower = aLayer(join(places.root, 'lower'), {
      'data/a': 'lower',
      'data/gone': 'x',
      'data/sub/b': 'b',
    });
    const upper = aLayer(join(places.root, 'upper'), { 'data/a': 'upper', 'data/own': 'own' });
    execFileSync('mknod', [join(upper, 'data/gone'), 'c', '0', '0']);
    execFileSync('mknod', [join(upper, 'data/device'), 'c', '1', '3']);
    symlinkSync('/etc/shadow', join(upper, 'data/link'));
    chownSync(join(upper, 'data/own'), 1000, 1001);
    chmodSync(join(upper, 'data/own'), 0o4711);
    chownSync(join(upper, 'data'), 33, 33);
    chmodSync(join(upper, 'data'), 0o750);
    const data = await volumeData(store, 'v', '/data', [upper, lower]);
    t.is(readFileSync(join(data, 'a'), 'utf8'), 'upper');
    t.is(readFileSync(join(data, 'sub/b'), 'utf8'), 'b');
    t.false(existsSync(join(data, 'gone')));
    t.false(existsSync(join(data, 'device')));
    t.is(readlinkSync(join(data, 'link')), '/etc/shadow');
    const own = statSync(join(data, 'own'));
    t.deepEqual([own.uid, own.gid, own.mode & 0o7777], [1000, 1001, 0o4711]);
    const root = statSync(data);
    t.deepEqual([root.uid, root.mode & 0o777], [33, 0o750]);
  },
);

test('A volume that is there is not filled again, and one that was cut short begins anew', async (t) => {
  const { places, store } = await aDevice(t);
  const layer = aLayer(join(places.root, 'layer'), { 'data/a': 'image' });
  const part = join(places.state, 'volumes/v/_data.part');
  mkdirSync(part, { recursive: true });
  writeFileSync(join(part, 'torn'), '');
  const data = await volumeData(store, 'v', '/data', [layer]);
  t.false(existsSync(join(data, 'torn')));
  writeFileSync(join(data, 'a'), 'mine');
  t.is(await volumeData(store, 'v', '/data', [layer]), data);
  t.is(readFileSync(join(data, 'a'), 'utf8'), 'mine');
});

test('A volume target that is a link out of the image is filled from inside the image', async (t) => {
  const { places, store } = await aDevice(t);
  const outside = aLayer(tempFolder(t), { secret: 'x' });
  const layer = aLayer(join(places.root, 'layer'), {});
  symlinkSync(outside, join(layer, 'data'));
  const data = await volumeData(store, 'v', '/data', [layer]);
  t.false(existsSync(join(data, 'secret')));
  t.true(lstatSync(data).isDirectory());
});

for (const name of ['../x', '.', '', 'a/b', '.hidden', 'x'.repeat(200)]) {
  test(`A volume named '${name.slice(0, 12)}' is refused`, async (t) => {
    const { store } = await aDevice(t);
    await t.throwsAsync(volumeData(store, name, '/data', []), { code: 'RUN_VOLUME' });
  });
}

test('An image’s VOLUME gets a volume that stays with the workload, unless something is mounted there', async (t) => {
  const { places, store } = await aDevice(t);
  const layer = aLayer(join(places.root, 'layer'), { 'var/db/seed': '1', 'cache/x': '' });
  const config = anImageConfig({ volumes: ['/var/db/', '/cache'] });
  const workload = aWorkload({ mounts: [{ type: 'tmpfs', target: '/cache' }] });
  const spec = aSpec([layer], { workload, config });
  await makeBundle(spec, { places, store, address: `${places.subnet}.5`, bindRoots: [], now: 0 });
  const layout = layoutOf(join(places.state, 'containers', spec.id));
  const mounts: Array<{ destination: string; source: string; type: string }> = JSON.parse(
    readFileSync(layout.config, 'utf8'),
  ).mounts;
  const volume = mounts.find((mount) => mount.destination === '/var/db');
  t.true(volume?.source.includes('/volumes/anonymous_web_'));
  t.is(readFileSync(join(volume?.source ?? '', 'seed'), 'utf8'), '1');
  t.is(mounts.filter((mount) => mount.destination === '/cache').length, 1);
  const next = aSpec([layer], { workload, config, spec: digestOf('next') });
  await makeBundle(next, { places, store, address: `${places.subnet}.6`, bindRoots: [], now: 0 });
  t.is(
    JSON.parse(
      readFileSync(layoutOf(join(places.state, 'containers', next.id)).config, 'utf8'),
    ).mounts.find((mount: { destination: string }) => mount.destination === '/var/db').source,
    volume?.source,
  );
});
