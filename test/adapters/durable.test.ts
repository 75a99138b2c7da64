import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
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

test('attack: a part file that lies there already, open to all or a link elsewhere, is not written to', async (t) => {
  const dir = folder(t);
  writeFileSync(join(dir, 'key.part'), 'old', { mode: 0o644 });
  await writeDurable(join(dir, 'key'), 'secret', { mode: 0o600 });
  t.is(statSync(join(dir, 'key')).mode & 0o777, 0o600);
  writeFileSync(join(dir, 'other'), 'theirs');
  symlinkSync(join(dir, 'other'), join(dir, 'key.part'));
  await writeDurable(join(dir, 'key'), 'secret', { mode: 0o600 });
  t.is(readFileSync(join(dir, 'other'), 'utf8'), 'theirs');
  t.deepEqual(readdirSync(dir).sort(), ['key', 'other']);
});

test('a folder has its mode, parents that had to be made are 0755, and what is there is left alone', async (t) => {
  const dir = folder(t);
  const modeOf = (path: string): number => statSync(join(dir, path)).mode & 0o777;
  await makeFolder(join(dir, 'a/b/c'), 0o700);
  t.deepEqual([modeOf('a'), modeOf('a/b'), modeOf('a/b/c')], [0o755, 0o755, 0o700]);
  await makeFolder(join(dir, 'a/b/c'), 0o755);
  t.is(modeOf('a/b/c'), 0o700);
  await Promise.all(Array.from({ length: 8 }, () => makeFolder(join(dir, 'x/y/z'))));
  t.is(modeOf('x/y/z'), 0o755);
  writeFileSync(join(dir, 'file'), '');
  await t.throwsAsync(makeFolder(join(dir, 'file')), { code: 'EEXIST' } as never);
  await t.throwsAsync(makeFolder(join(dir, 'file/sub')), { code: 'ENOTDIR' } as never);
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

needs(['root', 'setpriv'])(
  'what another user may not read or write is NOT_ROOT with its path',
  async (t) => {
    const dir = folder(t);
    await writeDurable(join(dir, 'secret'), 'x', { mode: 0o600 });
    chmodSync(dir, 0o755);
    const script = `const d = await import(${JSON.stringify(new URL('../../adapters/durable.js', import.meta.url).href)});
for (const work of [() => d.readIfThere('${dir}/secret'), () => d.writeDurable('${dir}/b', 'y'), () => d.makeFolder('${dir}/c/d')])
  await work().catch((error) => console.log(error.code, error.message));`;
    const nobody = ['--reuid', '65534', '--regid', '65534', '--clear-groups'];
    const done = await run('setpriv', [
      ...nobody,
      process.execPath,
      '--input-type=module',
      '-e',
      script,
    ]);
    const lines = done.stdout.trim().split('\n');
    t.is(lines.length, 3, done.stderr);
    for (const line of lines) t.regex(line, new RegExp(`^NOT_ROOT ${dir}/\\S+ may not be used`));
  },
);
