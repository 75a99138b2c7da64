// SPDX-License-Identifier: Apache-2.0
// Command lines as they are typed: what is found, what is refused, what help says.

import test from 'ava';
import { type Parsed, type Program, runProgram } from '../../adapters/command.js';
import { bytesText, table } from '../../adapters/terminal.js';
import { CodedError } from '../../protocol/error.js';

function aProgram(seen: (parsed: Parsed) => void): Program {
  const run = async (parsed: Parsed): Promise<number> => {
    seen(parsed);
    return 0;
  };
  return {
    name: 'prog',
    about: 'A program.',
    version: '1.2.3',
    options: { root: { type: 'string', value: 'DIR', default: '/', about: 'Where' } },
    commands: [
      {
        name: 'ps',
        about: 'List',
        args: '[NAME]',
        options: { all: { type: 'boolean', short: 'a', about: 'All' } },
        run,
      },
      {
        name: 'release create',
        about: 'Make',
        args: 'FILE',
        options: {
          wave: { type: 'string', multiple: true, about: 'Waves' },
          count: { type: 'string', about: 'N' },
        },
        run,
      },
      {
        name: 'exec',
        about: 'Run',
        args: 'NAME CMD...',
        optionsFirst: true,
        options: {
          tty: { type: 'boolean', short: 't', about: 'Terminal' },
          user: { type: 'string', short: 'u', about: 'User' },
        },
        run,
      },
    ],
  };
}

async function call(
  ...argv: string[]
): Promise<{ parsed: Parsed | undefined; printed: string; code: number }> {
  let parsed: Parsed | undefined;
  let printed = '';
  const code = await runProgram(
    aProgram((value) => {
      parsed = value;
    }),
    argv,
    (text) => {
      printed += text;
    },
  );
  return { parsed, printed, code };
}

test('a command of two words is found, before and after a global option', async (t) => {
  for (const argv of [
    ['release', 'create', 'f', '--root', '/x', '--wave', '1', '--wave', '2'],
    ['--root', '/x', 'release', 'create', '--wave=1', '--wave=2', 'f'],
  ]) {
    const { parsed } = await call(...argv);
    t.deepEqual(parsed?.args, ['f']);
    t.is(parsed?.text('root'), '/x');
    t.deepEqual(parsed?.list('wave'), ['1', '2']);
  }
});

test('defaults, flags and short options', async (t) => {
  const { parsed } = await call('ps', '-a');
  t.true(parsed?.flag('all'));
  t.is(parsed?.text('root'), '/');
});

test('what stands behind -- is left alone', async (t) => {
  const { parsed } = await call('exec', 'web', '--', 'sh', '-c', 'echo --help');
  t.deepEqual(parsed?.args, ['web', 'sh', '-c', 'echo --help']);
});

for (const argv of [['nope'], ['ps', '--wrong'], ['release', 'create'], ['ps', 'a', 'b']]) {
  test(`'${argv.join(' ')}' is refused with the place to read on`, async (t) => {
    const error = await t.throwsAsync(call(...argv), { instanceOf: CodedError });
    t.is(error?.code, 'USAGE');
    t.regex(error?.message ?? '', /--help'$/);
  });
}

const passed: ReadonlyArray<[string, string[], string | undefined]> = [
  ['exec web ls -l', ['web', 'ls', '-l'], undefined],
  ['exec -t web ls -t --help', ['web', 'ls', '-t', '--help'], undefined],
  ['exec -tu www web ls', ['web', 'ls'], 'www'],
  ['exec -uwww web ls -u x', ['web', 'ls', '-u', 'x'], 'www'],
  ['exec --user www web ls', ['web', 'ls'], 'www'],
  ['exec --user=www web ls', ['web', 'ls'], 'www'],
  ['--root /x exec web ls -a', ['web', 'ls', '-a'], undefined],
  ['exec web -- ls', ['web', 'ls'], undefined],
  ['exec -- web ls -x', ['web', 'ls', '-x'], undefined],
  ['exec web grep -- -x', ['web', 'grep', '--', '-x'], undefined],
];
for (const [typed, args, user] of passed) {
  test(`'${typed}' passes on what stands behind the first word`, async (t) => {
    const { parsed } = await call(...typed.split(' '));
    t.deepEqual(parsed?.args, args);
    t.is(parsed?.text('user'), user);
  });
}

test('the help of a group, and help as a word', async (t) => {
  const group = await call('release');
  t.is(group.code, 2);
  t.regex(group.printed, /Usage: prog release COMMAND[\s\S]*\n {2}create {2}Make/);
  t.is((await call('release', '--help')).code, 0);
  t.regex((await call('help', 'ps')).printed, /^Usage: prog ps /);
  t.regex((await call('help')).printed, /^Usage: prog COMMAND/);
  t.regex((await call('exec', '--help')).printed, /^Usage: prog exec /);
});

test('the version is said before a command only', async (t) => {
  t.is((await call('--version')).printed, 'prog 1.2.3');
  t.is((await call('-v')).printed, 'prog 1.2.3');
  await t.throwsAsync(call('ps', '--version'), { instanceOf: CodedError });
});

test('quiet is known to every command', async (t) => {
  t.true((await call('ps', '-q')).parsed?.flag('quiet'));
  t.true((await call('--quiet', 'ps')).parsed?.flag('quiet'));
});

test('a number outside its bounds is refused', async (t) => {
  const { parsed } = await call('release', 'create', 'f', '--count', '11');
  t.throws(() => parsed?.integer('count', { min: 1, max: 10 }), { instanceOf: CodedError });
  t.is(parsed?.integer('count', { min: 1, max: 20 }), 11);
});

test('help lists commands, and a command its options', async (t) => {
  t.regex((await call('--help')).printed, /release create {2}Make/);
  t.regex((await call('ps', '--help')).printed, /-a, --all/);
  t.is((await call()).code, 2);
});

test('tables and sizes read as docker people expect', (t) => {
  t.is(table(['NAME', 'N'], [['a-long-name', 1]]), 'NAME         N\na-long-name  1');
  t.deepEqual([0, 999, 1000, 1_234_567].map(bytesText), ['0 B', '999 B', '1.00 kB', '1.23 MB']);
});
