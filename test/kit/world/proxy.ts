// SPDX-License-Identifier: Apache-2.0
// A small real HTTP proxy in the site's namespace: CONNECT and nothing else. It writes down what it was asked.

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fleetAddress } from './net.js';
import { until } from './program.js';
import type { World } from './world.js';

const port = 3128;

const words = `
const { connect } = require('net');
const { appendFileSync } = require('fs');
const log = (line) => appendFileSync(process.argv[1], line + '\\n');
require('http').createServer((q, r) => r.writeHead(405).end()).on('connect', (request, client) => {
  log('CONNECT ' + request.url);
  const [host, port] = request.url.split(':');
  const target = connect(Number(port), host, () => {
    client.write('HTTP/1.1 200 Connection established\\r\\n\\r\\n');
    client.pipe(target).pipe(client);
  });
  target.on('error', () => client.destroy());
  client.on('error', () => target.destroy());
}).listen(${port}, '${fleetAddress}', () => log('ready'));
`;

export interface TestProxy {
  readonly url: string;
  asked(): string[];
  stop(): Promise<void>;
}

export async function startProxy(world: World): Promise<TestProxy> {
  const file = join(world.root, 'proxy.log');
  const netns = `--net=/run/netns/${world.site.netns}`;
  const child: ChildProcess = spawn('nsenter', [netns, process.execPath, '-e', words, file], {
    stdio: 'ignore',
  });
  const lines = (): string[] =>
    existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
  await until('the proxy listens', 10_000, () => (lines().includes('ready') ? true : undefined));
  return {
    url: `http://${fleetAddress}:${port}`,
    asked: () => lines().filter((line) => line.startsWith('CONNECT')),
    stop: async () => {
      const ended = new Promise((resolve) => child.once('close', resolve));
      child.kill('SIGKILL');
      await ended;
    },
  };
}
