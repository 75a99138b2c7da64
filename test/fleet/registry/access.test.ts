// SPDX-License-Identifier: Apache-2.0
// Roles per repository, users with passwords, what they may not see, the audit log, deletes and what is swept.

import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { mediaTypes } from '../../../fleet/registry/types.js';
import { codeOf } from '../../../protocol/error.js';
import { aRegistry, digestOf, poll, pushBlob, pushImage } from '../../kit/edges-registry.js';
import { aUser, basic } from '../../kit/fleet-access.js';

test('without a certificate and without a login there is a challenge, and nothing else', async (t) => {
  const { as } = await aRegistry(t);
  for (const path of ['/v2/', '/v2/_catalog', '/v2/web/tags/list']) {
    const reply = await as({})('GET', path);
    t.is(reply.status, 401);
    t.regex(String(reply.headers['www-authenticate']), /^Basic realm="/);
  }
});

test('a user may what the rules say, repository by repository', async (t) => {
  const all = await aRegistry(t);
  await pushImage(all.ask, 'team/a', 'v1');
  await pushImage(all.ask, 'team/b', 'v1');
  await pushImage(all.ask, 'other', 'v1');
  const ask = await aUser(all, 'ci', [
    { repository: 'team/*', role: 'pull' },
    { repository: 'team/b', role: 'push' },
  ]);
  t.is((await ask('GET', '/v2/')).status, 200);
  t.is((await ask('GET', '/v2/team/a/manifests/v1')).status, 200);
  t.is((await ask('GET', '/v2/other/manifests/v1')).status, 403);
  t.is((await ask('GET', '/v2/teams/manifests/v1')).status, 403);
  t.deepEqual(JSON.parse(String((await ask('GET', '/v2/_catalog')).body)), {
    repositories: ['team/a', 'team/b'],
  });
  t.is((await ask('POST', '/v2/team/a/blobs/uploads/')).status, 403);
  await pushImage(ask, 'team/b', 'v2');
  t.is((await ask('DELETE', '/v2/team/b/manifests/v2')).status, 403, 'push is not admin');
  const admin = await aUser(all, 'boss', [{ repository: 'team/b', role: 'admin' }]);
  t.is((await admin('DELETE', '/v2/team/b/manifests/v2')).status, 202);
});

test('a blob of a repository that a user may not pull is not there for it, by whatever way', async (t) => {
  const all = await aRegistry(t);
  const secret = await pushImage(all.ask, 'vault', 'v1');
  const own = await pushImage(all.ask, 'mine', 'v1');
  const ask = await aUser(all, 'ci', [{ repository: 'mine', role: 'push' }]);
  t.is((await ask('GET', `/v2/mine/blobs/${own.layer}`)).status, 200);
  t.is((await ask('GET', `/v2/mine/blobs/${secret.layer}`)).status, 404);
  t.is((await ask('HEAD', `/v2/mine/blobs/${secret.layer}`)).status, 404);
  const mount = `/v2/mine/blobs/uploads/?mount=${secret.layer}`;
  t.is((await ask('POST', `${mount}&from=vault`)).status, 202, 'no mount, an upload instead');
  t.is((await ask('POST', mount)).status, 202);
  // A manifest of its own that names the foreign blob is refused as well.
  const headers = { 'content-type': mediaTypes.manifest };
  const put = await ask('PUT', '/v2/mine/manifests/steal', { body: secret.bytes, headers });
  t.deepEqual([put.status, put.code], [404, 'MANIFEST_BLOB_UNKNOWN']);
  // Who may pull both may mount.
  const both = await aUser(all, 'both', [
    { repository: 'mine', role: 'push' },
    { repository: 'vault', role: 'pull' },
  ]);
  t.is((await both('POST', `${mount}&from=vault`)).status, 201);
  t.is((await both('GET', `/v2/mine/blobs/${secret.layer}`)).status, 200);
});

test('passwords are kept as hashes, for the owner only, and survive a restart', async (t) => {
  const all = await aRegistry(t);
  const ask = await aUser(all, 'ci', [{ repository: '*', role: 'pull' }], 'very-secret-word');
  t.is((await ask('GET', '/v2/')).status, 200);
  const path = join(all.dir, 'access.json');
  t.false(readFileSync(path, 'utf8').includes('very-secret-word'));
  t.is(statSync(path).mode & 0o777, 0o600);
  // A rule without a password keeps the one that is there; a new user needs one.
  await all.registry.access.put('ci', { kind: 'user', grants: [] });
  t.is((await ask('GET', '/v2/')).status, 200);
  t.is((await ask('GET', '/v2/web/tags/list')).status, 403);
  const error = await t.throwsAsync(all.registry.access.put('new', { kind: 'user', grants: [] }));
  t.is(codeOf(error), 'REGISTRY_USER');
  await all.registry.access.remove('ci');
  t.is((await ask('GET', '/v2/')).status, 401, 'also where the password was right a moment ago');
});

test('guesses from one address come to an end', async (t) => {
  const all = await aRegistry(t);
  await aUser(all, 'ci', [{ repository: '*', role: 'pull' }]);
  const statuses: number[] = [];
  const ask = all.as({});
  for (let count = 0; count < 12; count += 1) {
    statuses.push((await ask('GET', '/v2/', { headers: basic('ci', `guess-${count}`) })).status);
  }
  t.is(statuses[0], 401);
  t.is(statuses.at(-1), 429);
  t.is((await all.ask('GET', '/v2/')).status, 200, 'certificates are not concerned');
});

test('a rule for an operator takes the place of everything', async (t) => {
  const all = await aRegistry(t);
  await pushImage(all.ask, 'web', 'v1');
  await all.registry.access.put('test', {
    kind: 'operator',
    grants: [{ repository: 'web', role: 'pull' }],
  });
  t.is((await all.ask('GET', '/v2/web/manifests/v1')).status, 200);
  t.is((await all.ask('POST', '/v2/web/blobs/uploads/')).status, 403);
  const other = all.as(await all.fleet.operator('other'));
  t.is((await other('POST', '/v2/web/blobs/uploads/')).status, 202);
});

test('the audit log says who pushed, pulled, deleted and was refused, and stays small', async (t) => {
  const all = await aRegistry(t);
  const image = await pushImage(all.ask, 'web', 'v1');
  const device = all.as(await all.fleet.device('pump-1'));
  await device('GET', '/v2/web/manifests/v1');
  await device('PUT', '/v2/web/manifests/v2');
  const ask = await aUser(all, 'ci', [{ repository: 'web', role: 'pull' }]);
  await ask('GET', '/v2/web/manifests/v1');
  await all.as({})('GET', '/v2/', { headers: basic('ci', 'wrong') });
  await all.ask('DELETE', `/v2/web/manifests/${image.digest}`);
  await poll(
    () => all.ask('GET', '/v2/'),
    () => true,
  );
  const lines = await all.registry.audit.read(100);
  const short = lines.map(({ who, action, repository, reference, status }) =>
    [who, action, repository, reference, status].join(' '),
  );
  t.deepEqual(
    short.filter((line) => !line.includes(' upload ')),
    [
      'operator:test push web v1 201',
      'device:pump-1 denied web v2 403',
      'user:ci pull web v1 200',
      'nobody denied   401',
      `operator:test delete web ${image.digest} 202`,
    ],
  );
  t.is(lines.find(({ action }) => action === 'push')?.digest, image.digest);
  t.true(lines.every(({ address, at }) => address !== '' && at.endsWith('Z')));
  // Past its bound the file is turned over, once.
  for (let count = 0; count < 900; count += 1) {
    const reference = 'x'.repeat(6000);
    all.registry.audit.note({ ...lines[0], reference } as (typeof lines)[number]);
  }
  await all.registry.audit.read(1);
  const sizes = ['audit.log', 'audit.log.1'].map((name) => statSync(join(all.dir, name)).size);
  t.true(
    sizes.every((size) => size <= 4 * 1024 * 1024),
    sizes.join(),
  );
});

test('a blob that an image needs is not deleted; one that none needs is gone at once', async (t) => {
  const all = await aRegistry(t);
  const image = await pushImage(all.ask, 'web', 'v1');
  const kept = await all.ask('DELETE', `/v2/web/blobs/${image.layer}`);
  t.deepEqual([kept.status, kept.code], [405, 'UNSUPPORTED']);
  const orphan = await pushBlob(all.ask, 'web', Buffer.from('orphan'));
  t.is((await all.ask('DELETE', `/v2/web/blobs/${orphan}`)).status, 202);
  t.is((await all.ask('GET', `/v2/web/blobs/${orphan}`)).status, 404);
  t.is((await all.ask('DELETE', `/v2/web/blobs/${digestOf('absent')}`)).status, 404);
});

test('after a delete what nothing names any more is swept by itself, what is shared stays', async (t) => {
  const all = await aRegistry(t, { sweepSoonMs: 20, unusedMs: 0 });
  const gone = await pushImage(all.ask, 'web', 'v1');
  const kept = await pushImage(all.ask, 'web', 'v2');
  t.is((await all.ask('DELETE', `/v2/web/manifests/${gone.digest}`)).status, 202);
  await poll(
    () => all.ask('GET', `/v2/web/blobs/${gone.layer}`), // a HEAD would keep it: somebody may push
    ({ status }) => status === 404,
  );
  t.is((await all.ask('GET', `/v2/web/blobs/${kept.layer}`)).status, 200);
  t.is((await all.ask('GET', '/v2/web/manifests/v2')).status, 200);
});
