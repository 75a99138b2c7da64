// SPDX-License-Identifier: Apache-2.0
// Enrolment as it happens: a real HTTPS server on loopback, a device with nothing but a claim code. The
// attacks are in the titles.

import { X509Certificate } from 'node:crypto';
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import { join } from 'node:path';
import test from 'ava';
import { run } from '../../adapters/exec.js';
import { formatClaimCode } from '../../protocol/enrol.js';
import { type CodedError, codeOf } from '../../protocol/error.js';
import { enrolDevice } from '../../provisioning/device/enrol.js';
import { identityPlaces } from '../../provisioning/device/files.js';
import { loadIdentity } from '../../provisioning/device/identity.js';
import { anEnrolServer, listen } from '../kit/edges-enrol.js';
import { aFleet, tempDir } from '../kit/edges-fleet.js';

test('a device with a claim code becomes somebody: key, certificate, trust, endpoints, registry certificates', async (t) => {
  const server = await anEnrolServer(t);
  const configDir = join(await tempDir(t), 'etc/wherry');
  const code = await server.code();
  const enrolled = await enrolDevice({ configDir, code, name: 'pump-1', serial: 'S42' });
  t.deepEqual(enrolled, { tenant: 'acme', device: 'pump-1' });
  t.like(server.added, [{ name: 'pump-1', serial: 'S42' }]);

  const identity = await loadIdentity(configDir);
  t.like(identity, {
    tenant: 'acme',
    device: 'pump-1',
    mqtt: { host: 'localhost', port: 8883 },
    registries: { 'localhost:5000': {} },
    ca: server.fleet.authority.certificatePem,
  });
  const cert = new X509Certificate(identity?.cert ?? '');
  t.is(cert.subject, 'O=wherry device\nCN=acme--pump-1');
  for (const name of ['identity', 'certs.d/localhost:5000']) {
    t.is((await stat(join(configDir, name, 'client.key'))).mode & 0o777, 0o600);
    t.is((await stat(join(configDir, name))).mode & 0o777, 0o700);
    t.is(await readFile(join(configDir, name, 'client.cert'), 'utf8'), identity?.cert ?? '');
  }
  t.false(server.bodies.join('').includes('PRIVATE KEY'));
  await t.throwsAsync(enrolDevice({ configDir, code }), { code: 'IDENTITY_EXISTS' });
});

test('a stranger who answers in the place of the server gets to see no secret', async (t) => {
  const server = await anEnrolServer(t);
  const stranger = await anEnrolServer(t);
  const configDir = await tempDir(t);
  const code = (await server.code()).replace(`:${server.port}.`, `:${stranger.port}.`);
  await t.throwsAsync(enrolDevice({ configDir, code }), { code: 'ENROL_PIN' });
  t.deepEqual(stranger.bodies, []);
  t.is(await loadIdentity(configDir), undefined);
});

test('a stranger who hands out the right authority but has not its certificate gets to see no secret', async (t) => {
  const server = await anEnrolServer(t);
  const foreign = await aFleet(t);
  const middle = await anEnrolServer(t, {
    authority: server.fleet.authority,
    certificate: foreign.authority.server,
  });
  const configDir = await tempDir(t);
  const code = (await server.code()).replace(`:${server.port}.`, `:${middle.port}.`);
  await t.throwsAsync(enrolDevice({ configDir, code }), { code: 'ENROL_PIN' });
  t.deepEqual(middle.bodies, []);
});

test('a device of the fleet that poses as its server gets to see no secret', async (t) => {
  const server = await anEnrolServer(t);
  const middle = await anEnrolServer(t, {
    authority: server.fleet.authority,
    certificate: await server.fleet.device('rogue'),
  });
  const code = (await server.code()).replace(`:${server.port}.`, `:${middle.port}.`);
  await t.throwsAsync(enrolDevice({ configDir: await tempDir(t), code }), { code: 'ENROL_PIN' });
  t.deepEqual(middle.bodies, []);
});

test('an expired, a revoked, a used and a forged claim are refused with their own code', async (t) => {
  const server = await anEnrolServer(t);
  const enrol = async (code: string): Promise<string> =>
    enrolDevice({ configDir: await tempDir(t), code }).then(
      () => 'enrolled',
      (error: unknown) => codeOf(error),
    );
  const used = await server.code();
  t.is(await enrol(used), 'enrolled');
  t.is(await enrol(used), 'CLAIM_USED');
  const expired = await server.code({ expiresMs: 1 });
  await new Promise((resolve) => setTimeout(resolve, 5));
  t.is(await enrol(expired), 'CLAIM_EXPIRED');
  const revoked = await server.code();
  await server.claims.revoke((await server.claims.list()).at(-1)?.id ?? '');
  const open = (await server.claims.list()).filter(({ state }) => state === 'open');
  for (const { id } of open) await server.claims.revoke(id);
  t.is(await enrol(revoked), 'CLAIM_REVOKED');
  t.is(await enrol(used.replace(/\.[^.]+\.([^.]+)$/, `.${'A'.repeat(32)}.$1`)), 'CLAIM_UNKNOWN');
  t.is(await enrol('wherry1.nonsense'), 'CLAIM_BAD');
});

test('ten forged claims from one address end its tries', async (t) => {
  const server = await anEnrolServer(t);
  const good = await server.code();
  const forged = good.replace(/\.[^.]+\.([^.]+)$/, `.${'A'.repeat(32)}.$1`);
  for (let count = 0; count < 10; count += 1) {
    await t.throwsAsync(enrolDevice({ configDir: await tempDir(t), code: forged }), {
      code: 'CLAIM_UNKNOWN',
    });
  }
  await t.throwsAsync(enrolDevice({ configDir: await tempDir(t), code: good }), {
    code: 'CLAIM_LIMIT',
  });
});

test('one claim in eight hands at once lets in one device', async (t) => {
  const server = await anEnrolServer(t);
  const code = await server.code();
  const answers = await Promise.all(
    Array.from({ length: 8 }, async () =>
      enrolDevice({ configDir: await tempDir(t), code }).then(
        () => 'enrolled',
        (error: unknown) => codeOf(error),
      ),
    ),
  );
  t.is(answers.filter((answer) => answer === 'enrolled').length, 1);
  t.is(server.added.length, 1);
});

test('an answer that was lost is asked for again with the same key, and the device stays the same', async (t) => {
  const server = await anEnrolServer(t);
  const configDir = await tempDir(t);
  const code = await server.code();
  const first = await enrolDevice({ configDir, code });
  // As if the power had gone after the server's answer and before the first write.
  const places = identityPlaces(configDir);
  await writeFile(places.pendingKey, await readFile(places.key), { mode: 0o600 });
  for (const path of [places.ca, places.cert, places.key, places.config, places.trust])
    await rm(path);
  t.is(await loadIdentity(configDir), undefined);
  t.deepEqual(await enrolDevice({ configDir, code }), first);
  t.is(server.added.length, 1);
  t.is((await loadIdentity(configDir))?.device, first.device);
});

test('an identity that was written half is finished at the next start', async (t) => {
  const server = await anEnrolServer(t);
  const configDir = await tempDir(t);
  await enrolDevice({ configDir, code: await server.code(), name: 'pump-1' });
  const old = await loadIdentity(configDir);
  await enrolDevice({ configDir, code: await server.code(), name: 'pump-2', force: true });
  const places = identityPlaces(configDir);
  // The journal of the second enrolment is there, the places still hold parts of the first.
  const response = {
    tenant: 'acme',
    device: 'pump-2',
    certificate: await readFile(places.cert, 'utf8'),
    authority: await readFile(places.ca, 'utf8'),
    trust: JSON.parse(await readFile(places.trust, 'utf8')) as unknown,
    mqtt: { host: 'localhost', port: 8883 },
    registries: {},
  };
  const key = await readFile(places.key, 'utf8');
  await writeFile(places.cert, old?.cert ?? '');
  await rm(places.trust);
  await t.throwsAsync(loadIdentity(configDir), { code: 'IDENTITY_BAD' });
  await writeFile(places.pending, JSON.stringify({ key, response }));
  t.is((await loadIdentity(configDir))?.device, 'pump-2');
  await t.throwsAsync(stat(places.pending), { code: 'ENOENT' });
});

test('--force gives a new key, and what the agent keeps in wherryd.json stays', async (t) => {
  const server = await anEnrolServer(t);
  const configDir = await tempDir(t);
  const places = identityPlaces(configDir);
  await mkdir(configDir, { recursive: true });
  await writeFile(places.config, '{"logLevel":"debug"}');
  await enrolDevice({ configDir, code: await server.code() });
  const before = await readFile(places.key, 'utf8');
  await enrolDevice({ configDir, code: await server.code(), force: true });
  t.not(await readFile(places.key, 'utf8'), before);
  const config = JSON.parse(await readFile(places.config, 'utf8')) as { logLevel?: string };
  t.is(config.logLevel, 'debug');
});

test('--wait goes on trying until the server is there', async (t) => {
  const server = await anEnrolServer(t);
  const code = await server.code();
  const down = code.replace(`:${server.port}.`, ':1.');
  await t.throwsAsync(enrolDevice({ configDir: await tempDir(t), code: down }), {
    code: 'ENROL_UNREACHABLE',
  });
  const waits: CodedError[] = [];
  const stop = new AbortController();
  const error = await t.throwsAsync(
    enrolDevice({
      configDir: await tempDir(t),
      code: down,
      signal: stop.signal,
      onWait: (reason) => {
        waits.push(reason);
        if (waits.length === 3) stop.abort(new Error('stopped'));
      },
      clock: {
        now: () => Date.now(),
        monotonicMs: () => performance.now(),
        sleep: async (_ms, signal) => signal?.throwIfAborted(),
      },
    }),
  );
  t.is(error?.message, 'stopped');
  t.is(waits.length, 3);
});

test('a hostile answer becomes no identity', async (t) => {
  const fleet = await aFleet(t);
  const other = await aFleet(t);
  const device = await fleet.device('pump-1');
  let answer: unknown;
  const http = createServer(fleet.authority.server, (request, response) => {
    request.resume();
    const isFirst = request.url === '/v1/authority';
    response.end(isFirst ? fleet.authority.certificatePem : JSON.stringify(answer));
  });
  const port = await listen(t, http);
  const code = formatClaimCode({
    host: '127.0.0.1',
    port,
    secret: 'x'.repeat(32),
    pin: fleet.authority.pin,
  });
  const good = {
    tenant: 'acme',
    device: 'pump-1',
    certificate: device.cert, // of another key
    authority: fleet.authority.certificatePem,
    trust: { tenant: 'acme', epoch: 0, release: [], assignment: [] },
    mqtt: { host: 'localhost', port: 8883 },
    registries: {},
  };
  const cases: unknown[] = [
    good,
    { ...good, authority: other.authority.certificatePem },
    { ...good, device: '../../etc' },
    { ...good, certificate: 'none' },
    { ...good, registries: { '../../../tmp/x': {} } },
    { ...good, mqtt: { host: 'localhost', port: 0 } },
    [],
    'x',
    { text: 'x'.repeat(200_000) },
  ];
  for (const each of cases) {
    answer = each;
    const configDir = await tempDir(t);
    const error = await t.throwsAsync(enrolDevice({ configDir, code }));
    t.true(['ENROL_REFUSED', 'ENROL_UNREACHABLE'].includes(codeOf(error)), codeOf(error));
    t.is(await loadIdentity(configDir), undefined);
  }
});

test('requests that are no enrolment are refused with a code', async (t) => {
  const server = await anEnrolServer(t);
  const post = async (body: string): Promise<string> => {
    const path = join(await tempDir(t), 'ca');
    await writeFile(path, server.fleet.authority.certificatePem);
    const { stdout } = await run(
      'curl',
      [
        ...['-s', '--cacert', path, '-X', 'POST', '--data-binary', '@-'],
        `https://127.0.0.1:${server.port}/v1/enrol`,
      ],
      { input: body, timeoutMs: 5000 },
    );
    return (JSON.parse(stdout) as { code: string }).code;
  };
  t.is(await post(''), 'JSON_BAD');
  t.is(await post('{"claim":1}'), 'SHAPE_BAD');
  t.is(await post(JSON.stringify({ claim: 'x'.repeat(32), csr: 'none' })), 'CSR_BAD');
  t.is(await post('x'.repeat(50_000)), 'JSON_BAD');
});

test('files that do not belong together are no identity', async (t) => {
  const server = await anEnrolServer(t);
  const configDir = await tempDir(t);
  t.is(await loadIdentity(configDir), undefined);
  await enrolDevice({ configDir, code: await server.code(), name: 'pump-1' });
  const places = identityPlaces(configDir);
  const breaks: Array<[string, (text: string) => string | Promise<string>, string]> = [
    [places.config, (text) => text.replace('pump-1', 'pump-2'), 'IDENTITY_BAD'],
    [places.config, () => '{', 'CONFIG_BAD'],
    [places.config, (text) => text.replace('8883', '88830'), 'CONFIG_BAD'],
    [places.trust, (text) => text.replace('acme', 'other'), 'IDENTITY_BAD'],
    [places.key, async () => (await server.fleet.device('x')).key, 'IDENTITY_BAD'],
    [places.cert, () => 'damaged', 'IDENTITY_BAD'],
    [places.ca, async () => (await aFleet(t)).authority.certificatePem, 'IDENTITY_BAD'],
  ];
  for (const [path, edit, code] of breaks) {
    const before = await readFile(path, 'utf8');
    await writeFile(path, await edit(before));
    await t.throwsAsync(loadIdentity(configDir), { code: code as 'IDENTITY_BAD' }, path);
    await writeFile(path, before);
  }
  t.is((await loadIdentity(configDir))?.device, 'pump-1');
});

test('the program enrols, shows who the device is, and says what is wrong', async (t) => {
  const server = await anEnrolServer(t);
  const root = await tempDir(t);
  const program = new URL('../../provisioning/main.js', import.meta.url).pathname;
  const call = (...args: string[]): ReturnType<typeof run> =>
    run(process.execPath, [program, ...args, '--root', root], { timeoutMs: 20_000 });
  const before = await call('show');
  t.is(before.code, 1);
  t.regex(before.stderr, /IDENTITY_MISSING/);
  const enrolled = await call('enrol', await server.code(), '--name', 'pump-1');
  t.deepEqual(
    [enrolled.code, enrolled.stdout],
    [0, 'enrolled as pump-1 of acme\n'],
    enrolled.stderr,
  );
  const shown = await call('show', '--json');
  t.like(JSON.parse(shown.stdout), [
    { device: 'pump-1', tenant: 'acme', broker: 'mqtts://localhost:8883' },
  ]);
  const again = await call('enrol', await server.code());
  t.is(again.code, 1);
  t.regex(again.stderr, /IDENTITY_EXISTS/);
});
