// SPDX-License-Identifier: Apache-2.0
// A throw-away authority with a server and a client certificate for 127.0.0.1, made by openssl: another
// implementation than ours.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';

export interface Certs {
  readonly dir: string;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  /** Makes certs.d/HOST with our authority, and a client certificate if asked for; gives certs.d. */
  certsFor(host: string, client?: boolean): string;
}

export function tempFolder(t: ExecutionContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'wherry-images-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

export function makeCerts(t: ExecutionContext): Certs {
  const dir = tempFolder(t);
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' });
  };
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-batch'];
  openssl(
    'req',
    '-x509',
    ...newKey,
    '-subj',
    '/CN=test authority',
    '-keyout',
    'ca.key',
    '-out',
    'ca.crt',
    '-days',
    '2',
  );
  writeFileSync(join(dir, 'server.ext'), 'subjectAltName=IP:127.0.0.1,DNS:localhost\n');
  for (const name of ['server', 'client']) {
    openssl(
      'req',
      ...newKey,
      '-subj',
      `/CN=${name}`,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.csr`,
    );
    const ext = name === 'server' ? ['-extfile', 'server.ext'] : [];
    openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      '-CA',
      'ca.crt',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      ...ext,
      '-out',
      `${name}.crt`,
      '-days',
      '2',
    );
  }
  const read = (name: string): string => readFileSync(join(dir, name), 'utf8');
  return {
    dir,
    ca: read('ca.crt'),
    cert: read('server.crt'),
    key: read('server.key'),
    certsFor: (host, client = false) => {
      const folder = join(dir, 'certs.d', host);
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, 'ca.crt'), read('ca.crt'));
      if (client) {
        writeFileSync(join(folder, 'client.cert'), read('client.crt'));
        writeFileSync(join(folder, 'client.key'), read('client.key'));
      }
      return join(dir, 'certs.d');
    },
  };
}
