// SPDX-License-Identifier: Apache-2.0
// What `wherry-provision broker-config` writes; whether brokers do what it says is test/peer/broker-*.

import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { placesOf, projectFolder } from '../../adapters/places.js';
import { openAuthority } from '../../provisioning/authority/authority.js';
import { type BrokerKind, writeBrokerConfig } from '../../provisioning/host/broker-config.js';
import { tempDir } from '../kit/edges-fleet.js';

interface Scene {
  readonly root: string;
  readonly folder: string;
  write(kind: BrokerKind, names?: readonly string[]): Promise<string>;
  read(name: string): string;
}

async function aScene(t: ExecutionContext): Promise<Scene> {
  const root = await tempDir(t);
  const { state } = placesOf(root, 'wherry-fleet');
  await openAuthority(join(state, 'authority'), { tenant: 'acme', names: [] });
  const roster = { tenant: 'acme', devices: ['pump-1', 'pump-2'], revoked: ['old'] };
  writeFileSync(join(state, 'roster.json'), JSON.stringify(roster));
  const folder = join(root, 'mqtt');
  return {
    root,
    folder,
    write: async (kind, names = ['mqtt.example.com']) => {
      const order = { kind, root, folder, listen: '127.0.0.1', port: 8883, names };
      return (await writeBrokerConfig(order)).reload;
    },
    read: (name) => readFileSync(join(folder, name), 'utf8'),
  };
}

test('the certificate is of the fleet, for the names, and kept until they change', async (t) => {
  const { root, write, read } = await aScene(t);
  await write('mosquitto');
  const first = read('server.pem');
  const certificate = new X509Certificate(first.slice(first.indexOf('-----BEGIN CERT')));
  t.truthy(certificate.checkHost('mqtt.example.com'));
  const { state } = placesOf(root, 'wherry-fleet');
  const ca = new X509Certificate(readFileSync(join(state, 'authority/ca.crt')));
  t.true(certificate.verify(ca.publicKey));
  await write('mosquitto');
  t.is(read('server.pem'), first);
  await write('mosquitto', ['other.example.com']);
  t.not(read('server.pem'), first);
});

test('mosquitto takes the certificate for user and client id, and keeps the revoked out', async (t) => {
  const { write, read } = await aScene(t);
  await write('mosquitto');
  for (const line of [
    'require_certificate true',
    'use_identity_as_username true',
    'use_username_as_clientid true',
    'max_packet_size 266240',
  ]) {
    t.true(read('mosquitto.conf').split('\n').includes(line), line);
  }
  t.true(read('acl').includes('pattern read w1/acme/d/%u/#\n'));
  t.true(read('acl').endsWith('user acme--old\ntopic deny #\n'));
  t.false(read('acl').includes('pump-1'));
});

test('NATS and RabbitMQ know the devices in service and no others', async (t) => {
  const { write, read } = await aScene(t);
  await write('nats');
  t.regex(read('users.conf'), /CN=acme--pump-1,O=wherry device.*w1\.acme\.u\.\*\.acme--pump-1\.>/);
  t.notRegex(read('users.conf'), /acme--old/);
  const reload = await write('rabbitmq');
  t.regex(reload, /delete_user/);
  t.is(read('revoked'), 'acme--old\n');
  const { users, topic_permissions: topics } = JSON.parse(read('definitions.json')) as {
    users: Array<{ name: string }>;
    topic_permissions: Array<{ user: string; read: string; write: string }>;
  };
  t.true(users.some(({ name }) => name === 'acme--pump-2'));
  t.false(users.some(({ name }) => name === 'acme--old'));
  const rules = topics.find(({ user }) => user === 'acme--pump-1');
  const may = (pattern: string | undefined, key: string): boolean =>
    new RegExp(pattern ?? '^$').test(key);
  t.true(may(rules?.write, 'w1.acme.u.7.acme--pump-1.hello'));
  t.false(may(rules?.write, 'w1.acme.u.7.acme--pump-2.hello'));
  t.false(may(rules?.write, 'w1.acme.d.acme--pump-1.desired'));
  t.true(may(rules?.read, 'w1.acme.d.acme--pump-1.desired'));
  t.false(may(rules?.read, 'w1.acme.d.acme--pump-10.desired'));
  t.false(may(rules?.read, 'w1.acme.d.+.desired'));
});

test('where there is no fleet, and for words that would mean something else to a broker, it says so', async (t) => {
  const { root, folder } = await aScene(t);
  const run = (args: readonly string[]): Promise<{ code: number; stderr: string }> =>
    new Promise((resolve) => {
      const dist = join(projectFolder(), process.env['WHERRY_DIST'] ?? 'dist');
      const line = [join(dist, 'provisioning/main.js'), 'broker-config', ...args];
      execFile(process.execPath, line, (error, _stdout, stderr) => {
        resolve({ code: Number(error?.code ?? 0), stderr });
      });
    });
  const empty = join(root, 'empty');
  mkdirSync(empty);
  const absent = await run(['nats', '--root', empty, '-o', folder]);
  t.regex(absent.stderr, /AUTHORITY_BAD/);
  const good = ['nats', '--root', root, '-o', folder, '-q'];
  t.is((await run(good)).code, 0);
  for (const bad of [
    ['vernemq', '--root', root, '-o', folder],
    ['nats', '--root', root, '-o', `${folder}/a b`],
    [...good, '--name', 'a"b'],
    [...good, '--user', 'root; id'],
    [...good, '--listen', '0.0.0.0" }'],
  ]) {
    t.is((await run(bad)).code, 2, bad.join(' '));
  }
});
