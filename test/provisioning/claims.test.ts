// SPDX-License-Identifier: Apache-2.0
// Claims on a real database, at a clock that the test moves.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { Clock } from '../../adapters/clock.js';
import { type Db, openDb } from '../../adapters/sqlite.js';
import { codeOf } from '../../protocol/error.js';
import { openAttempts } from '../../provisioning/authority/attempts.js';
import { type Claims, claimTables, openClaims } from '../../provisioning/authority/claims.js';
import { tempDir } from '../kit/edges-fleet.js';

interface Moved extends Clock {
  ms: number;
}

const aClock = (): Moved => {
  const clock = {
    ms: 1_800_000_000_000,
    now: () => clock.ms,
    monotonicMs: () => clock.ms,
  } as Moved;
  clock.sleep = async (ms) => {
    clock.ms += ms;
  };
  return clock;
};

async function someClaims(
  t: ExecutionContext,
): Promise<{ claims: Claims; clock: Moved; db: Db; path: string }> {
  const path = join(await tempDir(t), 'fleet.db');
  const { db } = await openDb(path, [claimTables]);
  t.teardown(() => db.close());
  const clock = aClock();
  return { claims: openClaims(db, clock), clock, db, path };
}

const day = 86_400_000;

test('a claim lets in as many keys as it counts, and the same key again for nothing', async (t) => {
  const { claims } = await someClaims(t);
  const { id, secret } = await claims.create({
    count: 2,
    expiresMs: day,
    labels: { site: 'north' },
  });
  t.deepEqual(await claims.take(secret, 'key-1'), {
    id,
    labels: { site: 'north' },
    device: undefined,
  });
  t.is(await claims.settle(id, 'key-1', 'pump-1'), 'pump-1');
  t.is(await claims.settle(id, 'key-1', 'pump-x'), 'pump-1', 'the first stays');
  t.is((await claims.take(secret, 'key-1')).device, 'pump-1');
  await claims.take(secret, 'key-2');
  await t.throwsAsync(claims.take(secret, 'key-3'), { code: 'CLAIM_USED' });
  t.is((await claims.take(secret, 'key-1')).device, 'pump-1');
  t.like(await claims.list(), [{ id, state: 'used', count: 2, countMax: 2, devices: ['pump-1'] }]);
});

test('an expired, a revoked and a forged claim are told apart', async (t) => {
  const { claims, clock } = await someClaims(t);
  const { id, secret } = await claims.create({ expiresMs: day, count: 3 });
  await claims.take(secret, 'key-1');
  await t.throwsAsync(claims.take(`${secret.slice(0, -1)}!`, 'key-2'), { code: 'CLAIM_UNKNOWN' });
  clock.ms += day;
  await t.throwsAsync(claims.take(secret, 'key-2'), { code: 'CLAIM_EXPIRED' });
  await t.notThrowsAsync(claims.take(secret, 'key-1'), 'its answer was lost');
  t.true(await claims.revoke(id));
  t.false(await claims.revoke(id));
  await t.throwsAsync(claims.take(secret, 'key-1'), { code: 'CLAIM_REVOKED' });
});

test('of fifty keys at once exactly as many as it counts get in by one claim', async (t) => {
  const { claims } = await someClaims(t);
  const { secret } = await claims.create({ count: 3, expiresMs: day });
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, at) =>
      claims.take(secret, `key-${at}`).then(
        () => 'in',
        (error: unknown) => codeOf(error),
      ),
    ),
  );
  t.is(answers.filter((answer) => answer === 'in').length, 3);
  t.is(answers.filter((answer) => answer === 'CLAIM_USED').length, 47);
});

test('the secret is nowhere in the database', async (t) => {
  const { claims, db, path } = await someClaims(t);
  const { id, secret } = await claims.create({ expiresMs: day });
  await claims.take(secret, 'key-1');
  await db.all('PRAGMA wal_checkpoint(TRUNCATE)');
  const bytes = await readFile(path);
  t.true(bytes.includes(id));
  t.false(bytes.includes(secret));
});

test('ten wrong claims of one address close it for ten minutes, and only it', (t) => {
  const clock = aClock();
  const attempts = openAttempts(clock);
  for (let count = 0; count < 10; count += 1) {
    attempts.check('192.0.2.1');
    attempts.failed('192.0.2.1');
  }
  t.throws(() => attempts.check('192.0.2.1'), { code: 'CLAIM_LIMIT' });
  t.throws(() => attempts.check('::ffff:192.0.2.1'), { code: 'CLAIM_LIMIT' });
  t.notThrows(() => attempts.check('192.0.2.2'));
  clock.ms += 600_001;
  t.notThrows(() => attempts.check('192.0.2.1'));
});

test('addresses of one IPv6 network count as one', (t) => {
  const attempts = openAttempts(aClock());
  for (let count = 0; count < 10; count += 1) attempts.failed(`2001:db8:1:2::${count}`);
  t.throws(() => attempts.check('2001:db8:1:2:3:4:5:6'), { code: 'CLAIM_LIMIT' });
  t.notThrows(() => attempts.check('2001:db8:1:3::1'));
});
