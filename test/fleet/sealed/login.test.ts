// SPDX-License-Identifier: Apache-2.0
// A login on its way from the operator to a device: the real program, a real server, a device that enrolled and
// asks the broker. The password is looked for everywhere that it must not be.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { run } from '../../../adapters/exec.js';
import { openLog } from '../../../adapters/log.js';
import { openMqtt } from '../../../adapters/mqtt.js';
import { decodePayload } from '../../../adapters/zstd.js';
import { codeOf } from '../../../protocol/error.js';
import { commonName } from '../../../protocol/name.js';
import { sealedTopic } from '../../../protocol/topic.js';
import { enrolDevice } from '../../../provisioning/device/enrol.js';
import { loadIdentity } from '../../../provisioning/device/identity.js';
import { loginFrom, openSealed } from '../../../provisioning/device/seal.js';
import { aClaim, aFleet, type TestFleet, tempFolder, until } from '../../kit/fleet-server.js';

const program = fileURLToPath(new URL('../../../fleet/main.js', import.meta.url));
const password = 'pass-4f9c1d-word';
const host = 'registry.example:5000';

async function cli(fleet: TestFleet, args: readonly string[], input = '') {
  return run(process.execPath, [program, 'registry', ...args, '--root', fleet.root], {
    input,
    timeoutMs: 20_000,
  });
}

/** A device that keeps what it gets of its own topics, as the agent does. */
async function aDevice(t: ExecutionContext, fleet: TestFleet, name: string) {
  const config = join(await tempFolder(t), 'etc');
  await enrolDevice({ configDir: config, code: await aClaim(fleet), name });
  const identity = await loadIdentity(config);
  if (identity === undefined) throw new Error('not enrolled');
  const sealed = await openSealed(config, identity);
  const texts: string[] = [];
  const others: string[] = [];
  const topic = sealedTopic('main', name);
  const mqtt = openMqtt({
    ...identity.mqtt,
    tls: { ca: identity.ca, cert: identity.cert, key: identity.key },
    clientId: commonName('main', name),
    log: openLog('device', 'silent'),
    delayMs: { min: 20, max: 200 },
    onMessage: async (at, payload) => {
      if (at !== topic) others.push(at);
      if (payload.length === 0) return;
      const text = await decodePayload(payload);
      texts.push(text);
      await sealed.accept(text).catch(() => undefined);
    },
    onConnect: () => undefined,
    onDisconnect: () => undefined,
  });
  t.teardown(() => mqtt.close());
  await mqtt.subscribe([topic]);
  return { config, identity, sealed, texts, others, mqtt };
}

function filesBelow(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    return entry.isDirectory() ? filesBelow(path) : entry.isFile() ? [path] : [];
  });
}

const holders = (dir: string): string[] =>
  filesBelow(dir).filter((path) => {
    const bytes = readFileSync(path);
    return (
      bytes.includes(password) ||
      bytes.includes(Buffer.from(password).toString('base64').slice(0, 20))
    );
  });

test('a login reaches a device of before and one that enrols later, and is in clear nowhere', async (t) => {
  const fleet = await aFleet(t);
  const early = await aDevice(t, fleet, 'early');
  const made = await cli(fleet, ['login', host, '-u', 'ci', '--password-stdin'], `${password}\n`);
  t.is(made.code, 0, made.stderr);
  const wanted = { username: 'ci', password };
  await until(
    () => loginFrom(early.sealed, host),
    (found) => found !== undefined,
  );
  t.deepEqual(loginFrom(early.sealed, host), wanted);
  t.is(loginFrom(early.sealed, 'other.example'), undefined);

  const late = await aDevice(t, fleet, 'late');
  await until(
    () => loginFrom(late.sealed, host),
    (found) => found !== undefined,
  );
  t.deepEqual(loginFrom(late.sealed, host), wanted);

  // What the broker holds is what it sends: no clear text, and no device opens another's.
  for (const text of [...early.texts, ...late.texts]) {
    t.false(text.includes(password));
    const payload = Buffer.from((JSON.parse(text) as { payload: string }).payload, 'base64');
    t.false(payload.includes(password));
  }
  t.is(codeOf(await t.throwsAsync(late.sealed.accept(early.texts[0] ?? ''))), 'SEALED_REFUSED');
  t.deepEqual(holders(fleet.root), [], 'server: database, log of the database, keys, audit');
  t.deepEqual(holders(early.config), [], 'device: identity and what it keeps');

  const listed = await cli(fleet, ['ls', '--json']);
  const [{ changedAt: _, ...row } = {}] = JSON.parse(listed.stdout) as Array<
    Record<string, unknown>
  >;
  t.deepEqual(row, { host, username: 'ci', changedBy: 'admin' });

  // A device that was away for a while starts from what it kept, with no broker.
  const again = await openSealed(early.config, early.identity);
  t.deepEqual(loginFrom(again, host), wanted);

  const before = early.texts.at(-1) ?? '';
  t.is((await cli(fleet, ['logout', host])).code, 0);
  await until(
    () => loginFrom(early.sealed, host),
    (found) => found === undefined,
  );
  t.is(
    codeOf(await t.throwsAsync(early.sealed.accept(before))),
    'SEALED_REFUSED',
    'an old one is replayed',
  );
  t.regex((await cli(fleet, ['logout', host])).stderr, /SECRET_UNKNOWN/);
});

test('a broker that lost everything gets the sealed documents again', async (t) => {
  const fleet = await aFleet(t);
  const device = await aDevice(t, fleet, 'one');
  await cli(fleet, ['login', host, '-u', 'ci', '--password-stdin'], password);
  await until(
    () => device.texts.length,
    (count) => count > 0,
  );
  const [first] = device.texts;
  await fleet.restart();
  await until(
    () => device.texts.length,
    (count) => count > 1,
  );
  t.not(device.texts.at(-1), first, 'sealed anew');
  t.is(
    await device.sealed.accept(device.texts.at(-1) ?? ''),
    'known',
    'the same version is no news',
  );
});

test('a revoked device loses its document, and none is made for it', async (t) => {
  const fleet = await aFleet(t);
  const gone = await aDevice(t, fleet, 'gone');
  await cli(fleet, ['login', host, '-u', 'ci', '--password-stdin'], password);
  await until(
    () => gone.texts.length,
    (count) => count > 0,
  );
  await fleet.client.post('/v1/devices/gone/revoke');
  await cli(fleet, ['login', host, '-u', 'ci', '--password-stdin'], 'changed-word');
  const stay = await aDevice(t, fleet, 'stay');
  await until(
    () => loginFrom(stay.sealed, host)?.password,
    (word) => word === 'changed-word',
  );
  t.is(loginFrom(gone.sealed, host)?.password, password);
});

test('a login that is not sealed to the server, or for a wrong host, is refused', async (t) => {
  const fleet = await aFleet(t);
  const body = { host, username: 'ci', sealed: Buffer.alloc(64, 1).toString('base64') };
  t.is(codeOf(await t.throwsAsync(fleet.client.post('/v1/registry/logins', body))), 'SEAL_BROKEN');
  const wrong = await cli(fleet, ['login', 'https://a b', '-u', 'x', '--password-stdin'], 'x');
  t.is(wrong.code, 2);
  const none = await cli(fleet, ['login', host, '-u', 'x', '--password-stdin'], '');
  t.regex(none.stderr, /USAGE.*no password/);
});
