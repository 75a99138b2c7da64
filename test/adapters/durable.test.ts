import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { makeFolder, readIfThere, writeDurable } from '../../adapters/durable.js';
import { run } from '../../adapters/exec.js';
import { CodedError } from '../../protocol/error.js';
import { needs } from '../kit/needs.js';

function folder(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'w-durable-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test('a file is written whole, with its mode, and nothing beside it stays', async (t) => {
  const dir = folder(t);
  await writeDurable(join(dir, 'a'), 'one', { mode: 0o600 });
  await writeDurable(join(dir, 'a'), 'two', { mode: 0o600 });
  t.is(readFileSync(join(dir, 'a'), 'utf8'), 'two');
  t.is(statSync(join(dir, 'a')).mode & 0o777, 0o600);
  t.deepEqual(readdirSync(dir), ['a']);
});

test('a file that is not there is undefined', async (t) => {
  t.is(await readIfThere(join(folder(t), 'x')), undefined);
});

needs(['root'])('a full disk is NO_SPACE, and the old bytes stay', async (t) => {
  const dir = folder(t);
  await makeFolder(join(dir, 'small'));
  t.is(
    (await run('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'w-test', join(dir, 'small')])).code,
    0,
  );
  t.teardown(async () => run('umount', [join(dir, 'small')]));
  const path = join(dir, 'small/a');
  await writeDurable(path, 'old');
  const error = await t.throwsAsync(writeDurable(path, Buffer.alloc(256 * 1024)), {
    instanceOf: CodedError,
  });
  t.is(error?.code, 'NO_SPACE');
  t.is(readFileSync(path, 'utf8'), 'old');
  t.deepEqual(readdirSync(join(dir, 'small')), ['a']);
});
