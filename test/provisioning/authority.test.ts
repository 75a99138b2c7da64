// SPDX-License-Identifier: Apache-2.0
// The authority, checked by OpenSSL as well as by Node.

import { X509Certificate } from 'node:crypto';
import { chmod, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PeerCertificate } from 'node:tls';
import test from 'ava';
import { type Clock, systemClock } from '../../adapters/clock.js';
import { run } from '../../adapters/exec.js';
import { openAuthority } from '../../provisioning/authority/authority.js';
import { identityOf } from '../../provisioning/authority/identity.js';
import { makePrivateKey } from '../../provisioning/authority/x509.js';
import { makeRequest } from '../../provisioning/device/csr.js';
import { openKey } from '../../provisioning/device/key.js';
import { tempDir } from '../kit/edges-fleet.js';

const options = { tenant: 'acme', names: ['fleet.example', '192.0.2.7'] };

test('the authority is made once, its key is for its owner only, and it is the same after a restart', async (t) => {
  const dir = join(await tempDir(t), 'authority');
  const first = await openAuthority(dir, options);
  const second = await openAuthority(dir, options);
  t.is(first.pin, second.pin);
  t.is(first.server.cert, second.server.cert);
  t.is(first.pin.length, 43);
  t.is((await stat(join(dir, 'ca.key'))).mode & 0o777, 0o600);
  t.is((await stat(join(dir, 'server.pem'))).mode & 0o777, 0o600);
  t.is((await stat(dir)).mode & 0o777, 0o700);
});

test('OpenSSL verifies what it issues, for its own purpose only', async (t) => {
  const dir = await tempDir(t);
  const authority = await openAuthority(join(dir, 'authority'), options);
  const key = await openKey(join(dir, 'key'));
  const certs = {
    server: authority.server.cert,
    device: await authority.issueDevice(makeRequest(key), 'd'.repeat(63)),
    operator: (await authority.issueOperator('eve')).cert,
    link: (await authority.issueLink()).cert,
  };
  for (const [name, cert] of Object.entries(certs)) {
    const path = join(dir, name);
    await writeFile(path, cert);
    for (const purpose of ['sslserver', 'sslclient']) {
      const ca = join(dir, 'authority/ca.crt');
      const { code } = await run('openssl', ['verify', '-CAfile', ca, '-purpose', purpose, path]);
      t.is(code === 0, (purpose === 'sslserver') === (name === 'server'), `${name} ${purpose}`);
    }
  }
  t.is(
    new X509Certificate(certs.server).subjectAltName,
    'DNS:fleet.example, IP Address:192.0.2.7, DNS:localhost, IP Address:127.0.0.1',
  );
});

test('the server certificate is renewed when names change and after two thirds of its life', async (t) => {
  const dir = join(await tempDir(t), 'authority');
  const first = await openAuthority(dir, options);
  const named = await openAuthority(dir, { ...options, names: ['other.example'] });
  t.not(named.server.cert, first.server.cert);
  t.true(new X509Certificate(named.server.cert).subjectAltName?.includes('other.example'));

  let ms = 0;
  const clock: Clock = { ...systemClock, now: () => Date.now() + ms };
  const late = await openAuthority(dir, { ...options, names: ['other.example'] }, clock);
  t.false(await late.refresh());
  ms = 250 * 86_400_000;
  t.true(await late.refresh());
  t.not(late.server.cert, named.server.cert);
  t.is(late.certificatePem, first.certificatePem);
});

test('a request is taken for its key and nothing else in it', async (t) => {
  const dir = await tempDir(t);
  const authority = await openAuthority(join(dir, 'authority'), options);
  const key = join(dir, 'evil.key');
  const csr = join(dir, 'evil.csr');
  await writeFile(key, await makePrivateKey());
  const made = await run('openssl', [
    ...['req', '-new', '-key', key, '-out', csr, '-subj', '/O=wherry operator/CN=operator.root'],
    ...['-addext', 'subjectAltName=DNS:fleet.example', '-addext', 'basicConstraints=CA:TRUE'],
    ...['-addext', 'extendedKeyUsage=serverAuth'],
  ]);
  t.is(made.code, 0, made.stderr);
  const cert = new X509Certificate(
    await authority.issueDevice(await readFile(csr, 'utf8'), 'pump-1'),
  );
  t.is(cert.subject, 'O=wherry device\nCN=acme--pump-1');
  t.is(cert.subjectAltName, undefined);
  t.false(cert.ca);
  t.deepEqual(cert.keyUsage, ['1.3.6.1.5.5.7.3.2']);
  t.true(Date.parse(cert.validFrom) < Date.now() - 23 * 3_600_000);
});

test('OpenSSL reads the request that a device writes by hand', async (t) => {
  const dir = await tempDir(t);
  const path = join(dir, 'csr');
  await writeFile(path, makeRequest(await openKey(join(dir, 'key'))));
  const { code, stdout, stderr } = await run('openssl', [
    ...['req', '-in', path, '-verify', '-noout', '-text'],
  ]);
  t.is(code, 0, stderr);
  t.regex(stdout, /Subject: CN = wherry device/);
  t.regex(stdout, /ASN1 OID: prime256v1/);
});

test('a request that is damaged, of another curve or signed by another key is refused', async (t) => {
  const dir = await tempDir(t);
  const authority = await openAuthority(join(dir, 'authority'), options);
  const pem = makeRequest(await openKey(join(dir, 'key')));
  const der = Buffer.from(pem.replace(/-----[^-]+-----|\n/g, ''), 'base64');
  const wrap = (bytes: Buffer): string =>
    `-----BEGIN CERTIFICATE REQUEST-----\n${bytes.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
  const flipped = Buffer.from(der);
  flipped[60] = (flipped[60] ?? 0) ^ 1;
  const signature = Buffer.from(der);
  signature[der.length - 1] = (signature[der.length - 1] ?? 0) ^ 1;
  const p384 = await run('openssl', [
    ...['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384', '-nodes'],
    ...['-keyout', join(dir, 'p384.key'), '-subj', '/CN=x'],
  ]);
  const rsa = await run('openssl', [
    ...['req', '-new', '-newkey', 'rsa:2048', '-nodes', '-keyout', join(dir, 'rsa.key')],
    ...['-subj', '/CN=x'],
  ]);
  const cases = ['', 'x', wrap(der.subarray(0, 50)), wrap(flipped), wrap(signature)];
  for (const csr of [...cases, p384.stdout, rsa.stdout, authority.certificatePem]) {
    await t.throwsAsync(authority.issueDevice(csr, 'pump-1'), { code: 'CSR_BAD' });
  }
});

test('a folder that misses its key, is damaged or of another tenant is refused, and not overwritten', async (t) => {
  const dir = join(await tempDir(t), 'authority');
  await openAuthority(dir, options);
  await t.throwsAsync(openAuthority(dir, { ...options, tenant: 'other' }), {
    code: 'AUTHORITY_BAD',
  });
  const cert = await readFile(join(dir, 'ca.crt'));
  const key = await readFile(join(dir, 'ca.key'));
  await writeFile(join(dir, 'ca.key'), await makePrivateKey());
  await t.throwsAsync(openAuthority(dir, options), { code: 'AUTHORITY_BAD' });
  await rm(join(dir, 'ca.key'));
  await t.throwsAsync(openAuthority(dir, options), { code: 'AUTHORITY_BAD' });
  t.deepEqual(await readFile(join(dir, 'ca.crt')), cert);
  await writeFile(join(dir, 'ca.key'), key);
  await writeFile(join(dir, 'ca.crt'), 'damaged');
  await t.throwsAsync(openAuthority(dir, options), { code: 'AUTHORITY_BAD' });
});

test('a power cut between key and certificate is made good at the next start', async (t) => {
  const dir = join(await tempDir(t), 'authority');
  await mkdir(dir);
  await writeFile(join(dir, 'ca.key'), await makePrivateKey());
  await chmod(join(dir, 'ca.key'), 0o600);
  const authority = await openAuthority(dir, options);
  t.true(new X509Certificate(authority.certificatePem).ca);
});

test('a certificate says who it is by its O and CN, and a strange one nobody', (t) => {
  const who = (O: unknown, CN: unknown): unknown =>
    identityOf({ subject: { O, CN } } as unknown as PeerCertificate);
  t.deepEqual(who('wherry device', 'acme--pump-1'), {
    kind: 'device',
    tenant: 'acme',
    device: 'pump-1',
  });
  t.deepEqual(who('wherry operator', 'operator.eve'), { kind: 'operator', name: 'eve' });
  t.deepEqual(who('wherry link', 'link.acme'), { kind: 'link', tenant: 'acme' });
  for (const [o, cn] of [
    ['wherry device', 'acme-pump-1'],
    ['wherry device', 'acme--../x'],
    ['wherry device', ['acme--a', 'acme--b']],
    ['wherry operator', 'acme--pump-1'],
    ['wherry link', 'operator.eve'],
    ['wherry server', 'server.acme'],
    ['wherry authority', 'x'],
    [['wherry device', 'wherry link'], 'link.acme'],
    [undefined, 'link.acme'],
  ]) {
    t.is(who(o, cn), undefined, `${String(o)} ${String(cn)}`);
  }
  t.is(identityOf({}), undefined);
  t.is(identityOf(undefined), undefined);
});
