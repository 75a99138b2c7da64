// SPDX-License-Identifier: Apache-2.0
// Manifests from registries that fail, lie, are busy or want credentials.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { credentialsFrom } from '../../../images/registry/auth-file.js';
import { parseChallenge } from '../../../images/registry/challenge.js';
import { openRegistry, type RegistryOptions } from '../../../images/registry/client.js';
import { retryAfterMs } from '../../../images/registry/retry.js';
import { codeOf, messageOf } from '../../../protocol/error.js';
import { tempFolder } from '../../kit/images-certs.js';
import {
  type Answer,
  aBlob,
  aManifest,
  aRegistry,
  serveBlobs,
  startServer,
} from '../../kit/images-server.js';

const blob = aBlob(100);
const { manifest } = aManifest([blob]);
const serve: Answer = (request, response) => serveBlobs([manifest, blob], request, response);

async function outcome(
  t: ExecutionContext,
  answer: Answer,
  options: RegistryOptions = {},
): Promise<{ code: string; message: string; lines: string[]; headers: Array<string | undefined> }> {
  const server = await startServer(t, answer);
  const registry = aRegistry(t, options);
  const reference = { host: server.host, repository: 'a/web', digest: manifest.digest };
  const result = await registry.manifest(reference).then(
    () => ({ code: 'none', message: '' }),
    (error: unknown) => ({ code: codeOf(error), message: messageOf(error) }),
  );
  const asked = server.requests.filter(({ line }) => line !== 'GET /v2/');
  return {
    ...result,
    lines: asked.map(({ line }) => line),
    headers: asked.map(({ headers }) => headers.authorization),
  };
}

test('a manifest is fetched by digest and checked', async (t) => {
  const { code, lines } = await outcome(t, serve);
  t.is(code, 'none');
  t.deepEqual(lines, [`GET /v2/a/web/manifests/${manifest.digest}`]);
});

test('a manifest of another digest is refused, whatever the header says', async (t) => {
  const { code, message } = await outcome(t, (_, response) => {
    response.writeHead(200, { 'docker-content-digest': manifest.digest }).end('{}');
    return true;
  });
  t.is(code, 'IMAGE_DIGEST');
  t.regex(message, /127\.0\.0\.1/);
});

test('an endless manifest is stopped', async (t) => {
  const { code } = await outcome(t, (_, response) => {
    const more = (): void => {
      while (response.write(Buffer.alloc(65_536)));
    };
    response.on('drain', more);
    more();
    return true;
  });
  t.is(code, 'IMAGE_LIMIT');
});

test('a registry that fails now and then is asked again', async (t) => {
  let count = 0;
  const { code, lines } = await outcome(t, (request, response) => {
    if (request.url === '/v2/') return serve(request, response);
    count += 1;
    if (count === 4) return serve(request, response);
    if (count === 1) request.socket.destroy();
    else response.writeHead(count === 2 ? 500 : 503).end();
    return true;
  });
  t.is(code, 'none');
  t.is(lines.length, 4);
});

test('a registry that keeps failing ends in a code with its own words, cut and cleaned', async (t) => {
  const { code, message, lines } = await outcome(t, (_, response) => {
    const errors = [{ code: 'UNAVAILABLE', message: `disk\u001b[31m full ${'x'.repeat(1000)}` }];
    response.writeHead(503).end(JSON.stringify({ errors }));
    return true;
  });
  t.is(code, 'REGISTRY_FAILED');
  t.regex(message, /status 503\): UNAVAILABLE disk \[31m full x+$/);
  t.true(message.length < 600);
  t.is(lines.length, 5);
});

test('429 waits as long as Retry-After says, and gives up where that is too long', async (t) => {
  let count = 0;
  const began = performance.now();
  const short = await outcome(t, (request, response) => {
    if (request.url === '/v2/') return false;
    count += 1;
    if (count > 1) return serve(request, response);
    response.writeHead(429, { 'retry-after': '1' }).end();
    return true;
  });
  t.is(short.code, 'none');
  t.true(performance.now() - began >= 1000);
  const long = await outcome(t, (_, response) => {
    response.writeHead(429, { 'retry-after': '3600' }).end();
    return true;
  });
  t.is(long.code, 'REGISTRY_BUSY');
  t.is(long.lines.length, 1);
});

test('Retry-After is read as seconds and as a date', (t) => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  t.is(retryAfterMs('120', now), 120_000);
  t.is(retryAfterMs('Thu, 01 Jan 2026 00:01:00 GMT', now), 60_000);
  t.is(retryAfterMs('soon', now), undefined);
  t.is(retryAfterMs(undefined, now), undefined);
});

test('a bearer token is fetched, kept, and renewed when it ends in the middle of a pull', async (t) => {
  let token = 0;
  let isEnded = false;
  const answer: Answer = (request, response) => {
    if (request.url?.startsWith('/token') === true) {
      token += 1;
      response.end(JSON.stringify({ token: `t${token}`, expires_in: 300 }));
      return true;
    }
    const wanted = isEnded ? 'Bearer t2' : 'Bearer t1';
    if (request.headers.authorization === wanted) return serve(request, response);
    const realm = `http://${request.headers.host}/token`;
    response.writeHead(401, {
      'www-authenticate': `Bearer realm="${realm}",service="reg",scope="repository:a/web:pull"`,
    });
    response.end();
    return true;
  };
  const server = await startServer(t, answer);
  const registry = aRegistry(t, { credentials: () => ({ username: 'u', password: 'p' }) });
  const reference = { host: server.host, repository: 'a/web', digest: manifest.digest };
  await registry.manifest(reference);
  await registry.manifest(reference);
  t.is(token, 1);
  isEnded = true;
  await registry.smallBlob(reference, blob);
  t.is(token, 2);
  const [asked] = server.requests.filter(({ line }) => line.includes('/token'));
  t.is(asked?.line, 'GET /token?service=reg&scope=repository%3Aa%2Fweb%3Apull');
  t.is(asked?.headers.authorization, `Basic ${Buffer.from('u:p').toString('base64')}`);
});

test('a token that never suffices ends in a code, not in a loop', async (t) => {
  const { code, lines } = await outcome(t, (request, response) => {
    if (request.url?.startsWith('/token') === true) {
      response.end('{"access_token":"x"}');
      return true;
    }
    const realm = `http://${request.headers.host}/token`;
    response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}"` }).end();
    return true;
  });
  t.is(code, 'REGISTRY_AUTH');
  t.is(lines.length, 3);
});

test('a token that lives shorter than our margin still serves its request', async (t) => {
  const { code } = await outcome(t, (request, response) => {
    if (request.url?.startsWith('/token') === true) {
      response.end('{"token":"x","expires_in":1}');
      return true;
    }
    if (request.headers.authorization === 'Bearer x') return serve(request, response);
    const realm = `http://${request.headers.host}/token`;
    response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}"` }).end();
    return true;
  });
  t.is(code, 'none');
});

test('logins are read as docker and podman keep them', async (t) => {
  const path = join(tempFolder(t), 'auth.json');
  const auth = Buffer.from('u:p:w').toString('base64');
  const hub = 'https://index.docker.io/v1/';
  writeFileSync(
    path,
    JSON.stringify({ auths: { 'a:5000': { auth }, [hub]: { auth }, b: {} }, x: 1 }),
  );
  const find = credentialsFrom(['/nowhere/auth.json', path]);
  t.deepEqual(await find('a:5000', ''), { username: 'u', password: 'p:w' });
  t.deepEqual(await find('docker.io', ''), { username: 'u', password: 'p:w' });
  t.is(await find('b', ''), undefined);
  t.is(await find('c', ''), undefined);
  writeFileSync(path, '{"auths":[]}');
  t.is(codeOf(await t.throwsAsync(async () => credentialsFrom([path])('a', ''))), 'CONFIG_BAD');
});

test('a token with a line break in it is not sent on', async (t) => {
  const { code } = await outcome(t, (request, response) => {
    if (request.url?.startsWith('/token') === true) {
      response.end(JSON.stringify({ token: 'x\r\nevil: 1' }));
      return true;
    }
    const realm = `http://${request.headers.host}/token`;
    response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}"` }).end();
    return true;
  });
  t.is(code, 'REGISTRY_PROTOCOL');
});

test('Basic is used where the registry asks for it, and refused credentials are said to be', async (t) => {
  const good = `Basic ${Buffer.from('u:p').toString('base64')}`;
  const answer: Answer = (request, response) => {
    if (request.headers.authorization === good) return serve(request, response);
    response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    return true;
  };
  const with_ = (password: string): RegistryOptions => ({
    credentials: () => ({ username: 'u', password }),
  });
  t.is((await outcome(t, answer, with_('p'))).code, 'none');
  t.is((await outcome(t, answer, with_('wrong'))).code, 'REGISTRY_AUTH');
  const none = await outcome(t, answer);
  t.is(none.code, 'REGISTRY_AUTH');
  t.regex(none.message, /none are given/);
  t.deepEqual(none.headers, [undefined]);
});

test('challenges are read as registries write them', (t) => {
  t.deepEqual(parseChallenge('Bearer realm="https://a/t",service="b c",scope="x:y:z,w"'), {
    scheme: 'bearer',
    realm: 'https://a/t',
    service: 'b c',
    scope: 'x:y:z,w',
  });
  t.deepEqual(parseChallenge('bearer  realm=https://a/t , service=b'), {
    scheme: 'bearer',
    realm: 'https://a/t',
    service: 'b',
  });
  t.deepEqual(parseChallenge('Basic realm="x"'), { scheme: 'basic' });
  t.deepEqual(parseChallenge('Negotiate, Basic realm="x"'), { scheme: 'basic' });
  t.is(parseChallenge('Digest realm="x"'), undefined);
  t.is(parseChallenge(undefined), undefined);
  t.is(parseChallenge(`Bearer realm="${'x'.repeat(5000)}"`), undefined);
});

test('blobs are redirected, and credentials do not go to the other host', async (t) => {
  const store = await startServer(t, serve);
  const good = `Basic ${Buffer.from('u:p').toString('base64')}`;
  const server = await startServer(t, (request, response) => {
    if (request.url === '/v2/') return false;
    if (request.headers.authorization !== good) {
      response.writeHead(401, { 'www-authenticate': 'Basic' }).end();
    } else {
      response.writeHead(307, { location: `http://${store.host}/x/${blob.digest}?signed=1` }).end();
    }
    return true;
  });
  const registry = aRegistry(t, { credentials: () => ({ username: 'u', password: 'p' }) });
  const bytes = await registry.smallBlob({ host: server.host, repository: 'web' }, blob);
  t.deepEqual(bytes, blob.bytes);
  t.deepEqual(
    store.requests.map(({ headers }) => headers.authorization),
    [undefined],
  );
});

test('endless redirects end in a code', async (t) => {
  const { code, lines } = await outcome(t, (request, response) => {
    response.writeHead(302, { location: `${request.url}x` }).end();
    return true;
  });
  t.is(code, 'REGISTRY_PROTOCOL');
  t.is(lines.length, 6);
});

test('a registry that is not there, or has no address, says so', async (t) => {
  const registry = openRegistry({ retry: { attemptCountMax: 2, firstMs: 5 } });
  t.teardown(() => registry.close());
  const from = async (host: string): Promise<string> =>
    codeOf(await t.throwsAsync(registry.manifest({ host, repository: 'web', tag: 'v1' })));
  t.is(await from('127.0.0.1:1'), 'REGISTRY_UNREACHABLE');
  t.is(await from('registry.invalid'), 'REGISTRY_UNREACHABLE');
});

test('a registry that accepts and then says nothing runs into the time limit', async (t) => {
  const { code } = await outcome(t, (request) => request.url !== '/v2/', {
    idleTimeoutMs: 100,
    retry: { attemptCountMax: 2 },
  });
  t.is(code, 'REGISTRY_TIMEOUT');
});
