import test from 'ava';
import { outputBytesMax, run, start } from '../../adapters/exec.js';
import { nativeError } from '../../adapters/native.js';

test('the exit code and both outputs are given', async (t) => {
  const done = await run('sh', ['-c', 'cat; echo oops >&2; exit 3'], { input: 'in' });
  t.deepEqual(done, { code: 3, stdout: 'in', stderr: 'oops\n' });
});

test('output is bounded, and the program is not held up by it', async (t) => {
  const done = await run('head', ['-c', '3000000', '/dev/zero']);
  t.is(done.code, 0);
  t.is(done.stdout.length, outputBytesMax);
});

test('a program that takes too long is killed', async (t) => {
  t.is((await run('sleep', ['60'], { timeoutMs: 100 })).code, 137);
});

test('a program that is not there is an error', async (t) => {
  await t.throwsAsync(run('/does/not/exist', []), { code: 'ENOENT' });
});

test('abort ends a long program', async (t) => {
  const abort = new AbortController();
  const child = start('sleep', ['60'], { signal: abort.signal });
  abort.abort();
  await t.throwsAsync(child.ended, { name: 'AbortError' });
});

test('the error line of a native program becomes its code', (t) => {
  const line =
    '{"level":"error","time":"2026-01-01T00:00:00Z","code":"BOX_MOUNT","msg":"no /proc","where":"mount","errno":2}';
  const error = nativeError('wherry-run', 1, `wherry-run: BOX_MOUNT: no /proc\n${line}\n`);
  t.is(error.code, 'BOX_MOUNT');
  t.deepEqual(error.facts, { where: 'mount', errno: 2, exitCode: 1 });
});

test('a native program that dies without a word is BOX_FAILED with its last words', (t) => {
  const error = nativeError('wherry-run', 139, '{not json\nSegmentation fault\n');
  t.is(error.code, 'BOX_FAILED');
  t.regex(error.message, /139: .*Segmentation fault/s);
});
