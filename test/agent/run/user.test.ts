// SPDX-License-Identifier: Apache-2.0
// Users are looked up in the image: by Docker's rules, and never anywhere but in the image.

import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { find, readFileIn } from '../../../agent/run/layered.js';
import { lookUpUser, parseGroup, parsePasswd, resolveUser } from '../../../agent/run/user.js';
import { aLayer, tempFolder } from '../../kit/box-container.js';
import { needs } from '../../kit/needs.js';

const passwd = parsePasswd(
  'root:x:0:0:root:/root:/bin/sh\n# comment\nwww:x:33:33:www:/var/www:/bin/false\n1000:x:77:78::/odd:\nbroken:x:abc:1::/:\n+::::::\n',
);
const group = parseGroup(
  'root:x:0:\nwww:x:33:\nvideo:x:44:www,root\naudio:x:29:www\nvideo2:x:44:www\n',
);

const cases: ReadonlyArray<[string, { uid: number; gid: number; additionalGids?: number[] }]> = [
  ['', { uid: 0, gid: 0, additionalGids: [44] }],
  ['root', { uid: 0, gid: 0, additionalGids: [44] }],
  ['www', { uid: 33, gid: 33, additionalGids: [44, 29] }],
  ['33', { uid: 33, gid: 33, additionalGids: [44, 29] }],
  ['www:video', { uid: 33, gid: 44 }],
  ['www:1234', { uid: 33, gid: 1234 }],
  ['1234', { uid: 1234, gid: 0 }],
  ['1234:video', { uid: 1234, gid: 44 }],
  ['1000', { uid: 77, gid: 78 }],
  [':44', { uid: 0, gid: 44 }],
];
for (const [wanted, { uid, gid, additionalGids }] of cases) {
  test(`The user '${wanted}' is ${uid}:${gid}`, (t) => {
    const user = resolveUser(wanted, passwd, group);
    t.is(user.uid, uid);
    t.is(user.gid, gid);
    t.deepEqual(user.additionalGids, additionalGids ?? []);
  });
}

for (const wanted of [
  'nobody',
  'www:nobody',
  '-1',
  '+1',
  ' 1',
  '1x',
  '4294967295',
  '4294967296',
  '1:2:3',
  'broken',
  '0x0',
]) {
  test(`The user '${wanted}' is refused and never becomes root`, (t) => {
    t.throws(() => resolveUser(wanted, passwd, group), { code: 'RUN_USER' });
  });
}

test('The topmost layer that has /etc/passwd is asked', async (t) => {
  const folder = tempFolder(t);
  const lower = aLayer(join(folder, 'lower'), { 'etc/passwd': 'app:x:1:1::/:\n', 'etc/group': '' });
  const upper = aLayer(join(folder, 'upper'), { 'etc/passwd': 'app:x:2:2::/home/app:\n' });
  t.like(await lookUpUser([upper, lower], 'app'), { uid: 2, gid: 2, home: '/home/app' });
  t.like(await lookUpUser([lower], 'app'), { uid: 1 });
});

test('An image without /etc/passwd takes numbers only', async (t) => {
  const layer = aLayer(tempFolder(t), {});
  t.like(await lookUpUser([layer], '1000:1000'), { uid: 1000, gid: 1000, home: '/' });
  t.like(await lookUpUser([layer], undefined), { uid: 0, gid: 0 });
  await t.throwsAsync(lookUpUser([layer], 'root'), { code: 'RUN_USER' });
});

test('A symbolic link /etc/passwd that leads out of the image is resolved inside it', async (t) => {
  const folder = tempFolder(t);
  const outside = aLayer(join(folder, 'outside'), { passwd: 'evil:x:0:0::/:\n' });
  const layer = aLayer(join(folder, 'layer'), { etc: null });
  symlinkSync(join(outside, 'passwd'), join(layer, 'etc/passwd'));
  await t.throwsAsync(lookUpUser([layer], 'evil'), { code: 'RUN_USER' });
});

test('An absolute link is looked up from the root of the image, over all layers', async (t) => {
  const folder = tempFolder(t);
  const lower = aLayer(join(folder, 'lower'), { 'usr/share/passwd': 'app:x:7:7::/:\n' });
  const upper = aLayer(join(folder, 'upper'), { etc: null });
  symlinkSync('/usr/share/passwd', join(upper, 'etc/passwd'));
  t.like(await lookUpUser([upper, lower], 'app'), { uid: 7 });
});

test('A relative link /etc/passwd with many .. stays inside the image', async (t) => {
  const folder = tempFolder(t);
  aLayer(folder, { passwd: 'evil:x:0:0::/:\n' });
  const layer = aLayer(join(folder, 'layer'), { etc: null, passwd: 'good:x:5:5::/:\n' });
  symlinkSync('../../../../passwd', join(layer, 'etc/passwd'));
  await t.throwsAsync(lookUpUser([layer], 'evil'), { code: 'RUN_USER' });
  t.like(await lookUpUser([layer], 'good'), { uid: 5 });
});

test('A folder /etc that is a link out of the image is resolved inside it', async (t) => {
  const folder = tempFolder(t);
  const outside = aLayer(join(folder, 'outside'), { passwd: 'evil:x:0:0::/:\n' });
  const layer = aLayer(join(folder, 'layer'), {});
  symlinkSync(outside, join(layer, 'etc'));
  await t.throwsAsync(lookUpUser([layer], 'evil'), { code: 'RUN_USER' });
});

test('A link in a lower layer is not followed below a folder of an upper one', async (t) => {
  const folder = tempFolder(t);
  const outside = aLayer(join(folder, 'outside'), { passwd: 'evil:x:0:0::/:\n' });
  const upper = aLayer(join(folder, 'upper'), { etc: null });
  const lower = aLayer(join(folder, 'lower'), {});
  symlinkSync(outside, join(lower, 'etc'));
  t.is(await readFileIn([upper, lower], '/etc/passwd', 1000), undefined);
});

test('A ring of links ends in an error', async (t) => {
  const layer = aLayer(tempFolder(t), { etc: null });
  symlinkSync('/etc/b', join(layer, 'etc/passwd'));
  symlinkSync('/etc/passwd', join(layer, 'etc/b'));
  await t.throwsAsync(lookUpUser([layer], 'root'), { code: 'RUN_IMAGE_PATH' });
});

test('A FIFO or a folder in the place of /etc/passwd is refused and does not hang', async (t) => {
  const layer = aLayer(tempFolder(t), { etc: null });
  execFileSync('mkfifo', [join(layer, 'etc/passwd')]);
  await t.throwsAsync(lookUpUser([layer], 'root'), { code: 'RUN_IMAGE_PATH' });
  const other = aLayer(tempFolder(t), { 'etc/passwd': null });
  await t.throwsAsync(lookUpUser([other], 'root'), { code: 'RUN_IMAGE_PATH' });
});

test('A /etc/passwd beyond the bound is refused', async (t) => {
  const layer = aLayer(tempFolder(t), { 'etc/passwd': 'x'.repeat(1024 * 1024 + 1) });
  await t.throwsAsync(lookUpUser([layer], 'root'), { code: 'RUN_IMAGE_PATH' });
});

needs(['root'])('A whiteout in an upper layer hides the file of a lower one', async (t) => {
  const folder = tempFolder(t);
  const lower = aLayer(join(folder, 'lower'), { 'etc/passwd': 'app:x:1:1::/:\n', 'data/a': 'a' });
  const upper = aLayer(join(folder, 'upper'), { etc: null });
  execFileSync('mknod', [join(upper, 'etc/passwd'), 'c', '0', '0']);
  execFileSync('mknod', [join(upper, 'data'), 'c', '0', '0']);
  await t.throwsAsync(lookUpUser([upper, lower], 'app'), { code: 'RUN_USER' });
  t.is(await find([upper, lower], '/data/a'), undefined);
});

test('Folders of all layers are merged, and a file of an upper layer hides a folder of a lower one', async (t) => {
  const folder = tempFolder(t);
  const lower = aLayer(join(folder, 'lower'), { 'a/1': '', 'b/2': '' });
  const upper = aLayer(join(folder, 'upper'), { 'a/3': '', b: 'file' });
  mkdirSync(join(folder, 'x'));
  t.is((await find([upper, lower], '/a'))?.paths.length, 2);
  t.is((await find([upper, lower], '/b'))?.stats.isFile(), true);
  t.is(await find([upper, lower], '/b/2'), undefined);
});
