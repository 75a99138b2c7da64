// SPDX-License-Identifier: Apache-2.0
// Strangers on the network cannot fill the fleet's disk by way of its log.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { openHttp, readBody } from '../../../adapters/http.js';
import { type Log, sparingLinesMax } from '../../../adapters/log.js';
import { fleetPlaces } from '../../../fleet/config.js';
import { serve } from '../../../fleet/serve.js';
import { tempFolder } from '../../kit/fleet-server.js';

function aLog(lines: string[]): Log {
  const line = (facts: object, message: string): void =>
    void lines.push(JSON.stringify({ ...facts, message }));
  return { debug: line, info: line, warn: line, error: line, child: () => aLog(lines) };
}

test('attack: a hundred refused requests of a stranger, with long names in them, are a few short log lines', async (t) => {
  const root = await tempFolder(t);
  const lines: string[] = [];
  const port = { httpsPort: 0, mqttPort: 0 };
  const log = aLog(lines);
  const served = await serve({
    root,
    listen: '127.0.0.1',
    ...port,
    names: [],
    tenant: 'main',
    log,
  });
  t.teardown(() => served.close());
  const ca = await readFile(join(fleetPlaces(root).operator, 'ca.crt'), 'utf8');
  const http = openHttp({ tls: { ca } });
  t.teardown(() => http.close());
  const ask = async (path: string, body?: string): Promise<void> => {
    const url = new URL(path, `https://127.0.0.1:${served.httpsPort}`);
    const rest =
      body === undefined ? { method: 'GET' } : { method: 'POST', body: Buffer.from(body) };
    await readBody(await http.request({ url, headers: {}, ...rest } as never), 65_536);
  };
  const before = lines.length;
  for (let at = 0; at < 50; at += 1) {
    await ask('/v1/enrol', `{"${'k'.repeat(20_000)}":1}`);
    await ask(`/v1/${'p'.repeat(4000)}`);
  }
  const said = lines.slice(before);
  t.true(said.length > 0 && said.length <= 2 * sparingLinesMax, `${said.length} lines`);
  t.true(Math.max(...said.map(({ length }) => length)) < 1000, said[0]);
});
