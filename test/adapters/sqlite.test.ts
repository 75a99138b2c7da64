import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { run } from '../../adapters/exec.js';
import { openDb } from '../../adapters/sqlite.js';
import { CodedError } from '../../protocol/error.js';
import { needs } from '../kit/needs.js';

const first = ['CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)'];

function place(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'w-sqlite-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'a.db');
}

test('what was written is there after a new opening', async (t) => {
  const path = place(t);
  const { db } = await openDb(path, first);
  await db.run('INSERT INTO item (name) VALUES (?)', ['one']);
  await db.close();
  const again = await openDb(path, first);
  t.false(again.recovered);
  t.deepEqual(await again.db.all('SELECT name FROM item'), [{ name: 'one' }]);
  await again.db.close();
});

test('a transaction that throws leaves nothing, and the queue goes on', async (t) => {
  const { db } = await openDb(place(t), first);
  await t.throwsAsync(
    db.transaction(async (tx) => {
      await tx.run("INSERT INTO item (name) VALUES ('half')");
      throw new Error('stop');
    }),
    { message: 'stop' },
  );
  t.deepEqual(await db.all('SELECT * FROM item'), []);
  await db.run("INSERT INTO item (name) VALUES ('whole')");
  t.is((await db.all('SELECT * FROM item')).length, 1);
  await db.close();
});

test('statements of other flows never come into an open transaction', async (t) => {
  const { db } = await openDb(place(t), first);
  const failing = db.transaction(async (tx) => {
    await tx.run("INSERT INTO item (name) VALUES ('inside')");
    await new Promise((resolve) => setTimeout(resolve, 20));
    throw new Error('roll back');
  });
  const outside = db.run("INSERT INTO item (name) VALUES ('outside')");
  await t.throwsAsync(failing);
  await outside;
  t.deepEqual(await db.all('SELECT name FROM item'), [{ name: 'outside' }]);
  await db.close();
});

test('a migration keeps a copy of what it changes', async (t) => {
  const path = place(t);
  const old = await openDb(path, first);
  await old.db.run("INSERT INTO item (name) VALUES ('old')");
  await old.db.close();
  const next = [...first, "ALTER TABLE item ADD COLUMN colour TEXT NOT NULL DEFAULT 'grey'"];
  const { db } = await openDb(path, next);
  t.deepEqual(await db.all('SELECT name, colour FROM item'), [{ name: 'old', colour: 'grey' }]);
  await db.close();
  const copy = await openDb(`${path}.before-v2`, first);
  t.deepEqual(await copy.db.all('SELECT * FROM item'), [{ id: 1, name: 'old' }]);
  await copy.db.close();
});

test('a migration that fails changes nothing', async (t) => {
  const path = place(t);
  const old = await openDb(path, first);
  await old.db.close();
  await t.throwsAsync(openDb(path, [...first, 'ALTER TABLE item ADD COLUMN a TEXT;\nNONSENSE']));
  const { db } = await openDb(path, first);
  t.deepEqual(await db.all('PRAGMA table_info(item)').then((rows) => rows.length), 2);
  await db.close();
});

test('a database of a newer program is refused and left alone', async (t) => {
  const path = place(t);
  const newer = await openDb(path, [...first, 'CREATE TABLE more (id INTEGER)']);
  await newer.db.close();
  const bytes = readFileSync(path);
  const error = await t.throwsAsync(openDb(path, first), { instanceOf: CodedError });
  t.is(error?.code, 'STORE_CORRUPT');
  t.deepEqual(readFileSync(path), bytes);
});

test('a file that is no database is set aside, and a new one begun', async (t) => {
  const path = place(t);
  writeFileSync(path, 'this was a database once'.repeat(1000));
  const { db, recovered } = await openDb(path, first);
  t.true(recovered);
  await db.run("INSERT INTO item (name) VALUES ('new')");
  await db.close();
  t.true(readFileSync(`${path}.corrupt`, 'utf8').startsWith('this was'));
});

needs(['root'])(
  'a disk that is full to the last byte is NO_SPACE, and nothing is set aside',
  async (t) => {
    const path = place(t);
    const dir = join(path, '..', 'small');
    mkdirSync(dir);
    t.is((await run('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'w-test', dir])).code, 0);
    t.teardown(() => run('umount', [dir]));
    const inside = join(dir, 'a.db');
    const { db } = await openDb(inside, first);
    await db.close();
    writeFileSync(join(dir, 'fill'), Buffer.alloc(1), { flag: 'w' });
    await run('dd', ['if=/dev/zero', `of=${join(dir, 'fill')}`, 'bs=4096']);
    const error = await t.throwsAsync(openDb(inside, first), { instanceOf: CodedError });
    t.is(error?.code, 'NO_SPACE');
    t.false(readdirSync(dir).includes('a.db.corrupt'));
  },
);
