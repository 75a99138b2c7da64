// SPDX-License-Identifier: Apache-2.0
// Debian's docker-registry as a peer: its own port and folder, TLS with the test's authority where given.

import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { type Certs, tempFolder } from './images-certs.js';

/** host:port; `remote`: it is a pull-through cache of that URL. The test says with needs(['docker-registry']) that it must be installed. */
export async function startDockerRegistry(
  t: ExecutionContext,
  options: { certs?: Certs; clientAuth?: boolean; remote?: string } = {},
): Promise<string> {
  const dir = tempFolder(t);
  const port = await freePort();
  const { certs } = options;
  const tls =
    certs === undefined
      ? ''
      : `  tls:\n    certificate: ${certs.dir}/server.crt\n    key: ${certs.dir}/server.key\n` +
        (options.clientAuth === true ? `    clientcas:\n      - ${certs.dir}/ca.crt\n` : '');
  const proxy = options.remote === undefined ? '' : `proxy:\n  remoteurl: ${options.remote}\n`;
  const config = join(dir, 'config.yml');
  writeFileSync(
    config,
    `version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: ${dir}/data\n  delete:\n    enabled: true\nhttp:\n  addr: 127.0.0.1:${port}\n${tls}${proxy}`,
  );
  const child = spawn('docker-registry', ['serve', config], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  child.stderr.resume();
  t.teardown(async () => end(child));
  await listening(port, child);
  return `127.0.0.1:${port}`;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function listening(port: number, child: ChildProcess): Promise<void> {
  for (let count = 0; count < 200; count += 1) {
    if (child.exitCode !== null) throw new Error(`docker-registry ended with ${child.exitCode}`);
    const text = await fetch(`http://127.0.0.1:${port}/`).then(
      () => 'open',
      (error: Error) => String((error.cause as NodeJS.ErrnoException | undefined)?.code),
    );
    if (text !== 'ECONNREFUSED') return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error('docker-registry does not listen');
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  await new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });
}
