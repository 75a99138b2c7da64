// SPDX-License-Identifier: Apache-2.0
// The credential store of docker and podman: which file and which entry counts, credential programs, refresh tokens.

import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import {
  authFilesOf,
  credentialsFrom,
  dropLogin,
  keepLogin,
} from '../../../images/registry/auth-file.js';
import { codeOf } from '../../../protocol/error.js';
import { tempFolder } from '../../kit/images-certs.js';
import {
  aBlob,
  aManifest,
  aRegistry,
  gather,
  serveBlobs,
  startServer,
} from '../../kit/images-server.js';

const auth = (pair: string): { auth: string } => ({ auth: Buffer.from(pair).toString('base64') });

function aFile(t: ExecutionContext, content: object): string {
  const path = join(tempFolder(t), 'auth.json');
  writeFileSync(path, JSON.stringify(content));
  return path;
}

test('the files are those of podman, then of docker; a named one stands alone', (t) => {
  t.deepEqual(authFilesOf({ REGISTRY_AUTH_FILE: '/x', HOME: '/h' }), ['/x']);
  t.deepEqual(authFilesOf({ XDG_RUNTIME_DIR: '/r', HOME: '/h' }), [
    '/r/containers/auth.json',
    '/h/.config/containers/auth.json',
    '/h/.docker/config.json',
  ]);
  t.deepEqual(authFilesOf({ XDG_RUNTIME_DIR: '/r', DOCKER_CONFIG: '/d', XDG_CONFIG_HOME: '/c' }), [
    '/r/containers/auth.json',
    '/c/containers/auth.json',
    '/d/config.json',
  ]);
});

test('the first file that knows the registry counts, and in it the longest path', async (t) => {
  const first = aFile(t, {
    auths: {
      'a.example': auth('a:1'),
      'a.example/team': auth('team:2'),
      'a.example/team/web': auth('web:3'),
    },
  });
  const second = aFile(t, {
    auths: { 'a.example': auth('x:9'), 'https://b.example/': auth('b:4') },
  });
  const find = credentialsFrom([first, second]);
  const nameFor = async (host: string, repository: string): Promise<string | undefined> =>
    (await find(host, repository))?.username;
  t.is(await nameFor('a.example', 'other'), 'a');
  t.is(await nameFor('a.example', 'team/api'), 'team');
  t.is(await nameFor('a.example', 'team/web'), 'web');
  t.is(await nameFor('a.example', 'team/webs'), 'team');
  t.is(await nameFor('b.example', 'x'), 'b');
  t.is(await nameFor('constructor', 'x'), undefined);
});

test('a login is kept beside what others wrote, for the owner only, and taken away again', async (t) => {
  const path = aFile(t, { auths: { other: auth('o:1') }, HttpHeaders: { a: 'b' } });
  t.is(await keepLogin(path, 'docker.io', { username: 'me', password: 'p:w' }), path);
  t.is(statSync(path).mode & 0o777, 0o600);
  t.deepEqual(JSON.parse(readFileSync(path, 'utf8')), {
    auths: { other: auth('o:1'), 'https://index.docker.io/v1/': auth('me:p:w') },
    HttpHeaders: { a: 'b' },
  });
  t.true(await dropLogin(path, 'docker.io'));
  t.false(await dropLogin(path, 'docker.io'));
  t.is(await credentialsFrom([path])('docker.io', 'library/x'), undefined);
  const fresh = join(tempFolder(t), 'new/auth.json');
  await keepLogin(fresh, 'a', { username: 'u', password: 'p' });
  t.is((await credentialsFrom([fresh])('a', ''))?.password, 'p');
});

test.serial(
  'a credential program is asked by the registry’s name, one that fails is told without what it said of secrets',
  async (t) => {
    const dir = tempFolder(t);
    mkdirSync(dir, { recursive: true });
    const script = (body: string): void =>
      writeFileSync(join(dir, 'docker-credential-our'), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
    const before = process.env['PATH'];
    process.env['PATH'] = `${dir}:${before}`;
    t.teardown(() => {
      process.env['PATH'] = before;
    });
    const path = aFile(t, { credsStore: 'our', auths: { 'b.example': auth('written:1') } });
    script(
      `read server; [ "$1 $server" = "get a.example" ] && echo '{"ServerURL":"x","Username":"u","Secret":"s"}' && exit; echo "credentials not found in native keychain"; exit 1`,
    );
    t.deepEqual(await credentialsFrom([path])('a.example', ''), { username: 'u', password: 's' });
    t.is((await credentialsFrom([path])('b.example', ''))?.username, 'written');
    script('echo "no bus"; exit 2');
    const broken = await t.throwsAsync(async () => credentialsFrom([path])('a.example', ''));
    t.is(codeOf(broken), 'REGISTRY_HELPER');
    script(`echo '{"Username":5,"Secret":"topsecret"}'`);
    const odd = await t.throwsAsync(async () => credentialsFrom([path])('a.example', ''));
    t.is(codeOf(odd), 'REGISTRY_HELPER');
    t.false(String(odd?.message).includes('topsecret'));
    const evil = aFile(t, { credHelpers: { a: '../../bin/sh' } });
    t.is(codeOf(await t.throwsAsync(async () => credentialsFrom([evil])('a', ''))), 'CONFIG_BAD');
  },
);

test('a refresh token goes to the token server in a form, and a token that ends in mid-blob is renewed with it', async (t) => {
  const layer = aBlob(400_000);
  const { config, manifest } = aManifest([layer]);
  const forms: string[] = [];
  let valid = '';
  const server = await startServer(t, async (request, response) => {
    if (request.url === '/token') {
      const body = (await gather(request as AsyncIterable<Buffer>)).toString();
      forms.push(`${request.method} ${body}`);
      valid = `token-${forms.length}`;
      response.end(JSON.stringify({ access_token: valid, expires_in: 300 }));
      return true;
    }
    if (request.headers.authorization !== `Bearer ${valid}` || valid === '') {
      const realm = `http://${request.headers.host}/token`;
      response
        .writeHead(401, { 'www-authenticate': `Bearer realm="${realm}",service="reg"` })
        .end();
      return true;
    }
    if (request.url?.includes('/blobs/') === true && request.headers.range === undefined) {
      valid = 'ended'; // while the blob is under way
      response.writeHead(200, { 'content-length': layer.size, etag: '"x"' });
      response.write(layer.bytes.subarray(0, 150_000), () =>
        setTimeout(() => response.destroy(), 20),
      );
      return true;
    }
    return serveBlobs([layer, config, manifest], request, response);
  });
  const path = aFile(t, { auths: { [server.host]: { auth: '', identitytoken: 'refresh-me' } } });
  const registry = aRegistry(t, { credentials: credentialsFrom([path]) });
  const reference = { host: server.host, repository: 'a/web', digest: manifest.digest };
  await registry.manifest(reference);
  t.true((await gather(registry.blob(reference, layer))).equals(layer.bytes));
  t.true(forms.length >= 2);
  for (const form of forms) {
    t.regex(form, /^POST .*grant_type=refresh_token/);
    t.regex(form, /refresh_token=refresh-me/);
    t.regex(form, /scope=repository%3Aa%2Fweb%3Apull/);
  }
  t.false(server.requests.some(({ line }) => line.includes('refresh-me')));
});
