// SPDX-License-Identifier: Apache-2.0
// What an outside broker is told of: the roster, and the command that is run after it.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { openDb } from '../../../adapters/sqlite.js';
import { type Told, tellBroker } from '../../../fleet/link/told.js';
import { enrolDevice, revokeDevice } from '../../../fleet/store/devices.js';
import { migrations } from '../../../fleet/store/schema.js';
import { silent, tempDir, until } from '../../kit/edges-fleet.js';

interface Scene {
  readonly told: Told;
  readonly roster: () => unknown;
  readonly runs: () => number;
  enrol(name: string): Promise<void>;
  revoke(name: string): Promise<void>;
}

async function aScene(t: ExecutionContext, command?: string): Promise<Scene> {
  const dir = await tempDir(t);
  const { db } = await openDb(join(dir, 'fleet.db'), migrations);
  t.teardown(() => db.close());
  const path = join(dir, 'roster.json');
  const out = join(dir, 'runs');
  const told = tellBroker({
    ...{ db, tenant: 'acme', path, log: silent },
    command: command ?? `wc -c < ${path} >> ${out}`,
  });
  t.teardown(() => told.close());
  return {
    told,
    roster: () =>
      existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as unknown) : undefined,
    runs: () => (existsSync(out) ? readFileSync(out, 'utf8').trim().split('\n').length : 0),
    enrol: async (name) => {
      const device = { keyHash: name.padEnd(64, '0'), name, serial: undefined, labels: {} };
      await db.transaction((tx) => enrolDevice(tx, device, 1));
    },
    revoke: (name) => db.transaction((tx) => revokeDevice(tx, name, 2)),
  };
}

test('the roster has who is in service and who was revoked, and the command comes after it', async (t) => {
  const { told, roster, runs, enrol, revoke } = await aScene(t);
  await enrol('b');
  await enrol('a');
  await enrol('gone');
  await revoke('gone');
  told.changed();
  await until(() => (runs() === 1 ? true : undefined));
  t.deepEqual(roster(), { tenant: 'acme', devices: ['a', 'b'], revoked: ['gone'] });
});

test('many changes at once make few runs, and the last one is never missed', async (t) => {
  const { told, roster, runs, enrol } = await aScene(t);
  for (let at = 10; at < 60; at += 1) {
    await enrol(`d${at}`);
    told.changed();
  }
  await until(() =>
    (roster() as { devices: string[] } | undefined)?.devices.length === 50 ? true : undefined,
  );
  await told.close();
  t.true(runs() <= 5, String(runs()));
});

test('a command that fails stops nothing', async (t) => {
  const { told, roster, enrol } = await aScene(t, 'exit 3');
  told.changed();
  await until(() => (roster() === undefined ? undefined : true));
  await enrol('late');
  told.changed();
  await until(() => ((roster() as { devices: string[] }).devices.length === 1 ? true : undefined));
  t.pass();
});
