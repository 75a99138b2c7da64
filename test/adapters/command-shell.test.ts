// SPDX-License-Identifier: Apache-2.0
// Completion in the real shells, and the manual through the real formatters, made from the programs' own tables.

import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { needs } from '../kit/needs.js';

const dist = join(dirname(fileURLToPath(import.meta.url)), '../..');
const programs = {
  wherry: 'agent/local/main.js',
  wherryd: 'agent/main.js',
  'wherry-image': 'images/cli/main.js',
  'wherry-fleet': 'fleet/main.js',
  'wherry-provision': 'provisioning/main.js',
} as const;
type Name = keyof typeof programs;

const scripts = new Map<string, string>();

/** Each script and page is asked for once. */
function call(name: Name, ...args: string[]): string {
  const key = [name, ...args].join(' ');
  const text = scripts.get(key) ?? callNow(name, ...args);
  scripts.set(key, text);
  return text;
}

function callNow(name: Name, ...args: string[]): string {
  const env = { ...process.env, SOURCE_DATE_EPOCH: '1770000000' };
  const ran = spawnSync(process.execPath, [join(dist, programs[name]), ...args], { env });
  if (ran.status !== 0) throw new Error(`${name} ${args.join(' ')}: ${ran.stderr}`);
  return ran.stdout.toString();
}

/** What a shell says to `script`; a program of the name on its PATH answers `answer` to what it is asked. */
function shell(t: ExecutionContext, argv: readonly string[], name: Name, answer = ''): string {
  const folder = mkdtempSync(join(tmpdir(), 'wherry-shell-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, name), `#!/bin/sh\necho "$@" >>${folder}/asked\n${answer}\n`);
  chmodSync(join(folder, name), 0o755);
  const env = { ...process.env, PATH: `${folder}:${process.env['PATH']}`, HOME: folder };
  const [program = '', ...args] = argv;
  const ran = spawnSync(program, args, { env, timeout: 20_000 });
  t.is(ran.stderr.toString(), '');
  const asked = spawnSync('cat', [join(folder, 'asked')]).stdout.toString();
  return ran.stdout.toString() + asked;
}

function bash(t: ExecutionContext, name: Name, line: string, answer = ''): string[] {
  const script = `${call(name, 'completion', 'bash')}
COMP_LINE=$1 COMP_POINT=\${#1}
compopt() { :; }
_${name.replaceAll('-', '_')}
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const said = shell(t, ['bash', '--norc', '-c', script, 'bash', line], name, answer);
  return said.split('\n').filter((word) => word !== '');
}

const listed = `printf '[\\n  {\\n    "container": "web-1",\\n    "workload": "web"\\n  },\\n  {\\n    "workload": "db"\\n  }\\n]\\n'`;

test('bash completes commands, groups and their commands', (t) => {
  t.deepEqual(bash(t, 'wherry', 'wherry st'), ['status', 'stats']);
  t.true(bash(t, 'wherry-fleet', 'wherry-fleet ro').includes('rollout'));
  t.deepEqual(bash(t, 'wherry-fleet', 'wherry-fleet rollout st'), ['start', 'status']);
  t.deepEqual(bash(t, 'wherry', 'wherry completion '), ['bash', 'zsh', 'fish']);
});

test('bash completes options of the command that is typed, and the few words of a value', (t) => {
  t.deepEqual(bash(t, 'wherry', 'wherry logs --t'), ['--tail', '--timestamps']);
  t.deepEqual(bash(t, 'wherry-fleet', 'wherry-fleet rollout start --can'), ['--canary']);
  t.deepEqual(bash(t, 'wherryd', 'wherryd --log-level e'), ['error']);
  t.deepEqual(bash(t, 'wherryd', 'wherryd --log-level=w'), ['warn']);
  t.deepEqual(bash(t, 'wherry', 'wherry --root /et'), ['/etc']);
});

test('bash completes the names of workloads by asking the agent, under the same root', (t) => {
  const words = bash(t, 'wherry', 'wherry --root /x logs -f ', listed);
  t.deepEqual(words.sort(), ['--root /x ps --all --json', 'db', 'web']);
});

test('bash offers no option of ours behind the workload of exec', (t) => {
  t.deepEqual(bash(t, 'wherry', 'wherry exec web ls -'), []);
  t.true(bash(t, 'wherry', 'wherry exec -').includes('--tty'));
});

test('bash completes a release whose name has a colon', (t) => {
  const words = bash(
    t,
    'wherry-fleet',
    'wherry-fleet rollout start web:v',
    'echo web:v1; echo web:v2',
  );
  t.deepEqual(words.slice(0, 2), ['v1', 'v2']);
});

needs(['fish'])('fish completes commands, options and names', (t) => {
  const fish = (name: Name, line: string, answer = ''): string => {
    const script = `${call(name, 'completion', 'fish')}\ncomplete -C '${line}'`;
    return shell(t, ['fish', '--no-config', '-c', script], name, answer);
  };
  t.regex(fish('wherry', 'wherry st'), /^stats\t.*\nstatus\t/);
  t.regex(fish('wherry-fleet', 'wherry-fleet rollout st'), /^start\t.*\nstatus\t/);
  t.regex(fish('wherry', 'wherry logs --ta'), /^--tail\t/);
  t.regex(fish('wherry', 'wherry logs -f ', listed), /^db\nweb\n/);
});

needs(['zsh'])('zsh completes commands, options and names on a terminal', (t) => {
  const zsh = (name: Name, line: string, answer = ''): string => {
    const setUp = [
      'PROMPT=',
      'autoload -Uz compinit && compinit -u -D',
      'source $1',
      'echo rea""dy',
    ].join('; ');
    const script = `zmodload zsh/zpty
export TERM=vt100
zpty z zsh -f -i
zpty -w z "${setUp.replaceAll('"', '\\"')}"
zpty -r -m z out '*ready*'
zpty -w -n z "$2"$'\\t\\t'
for i in {1..40}; do
  sleep 0.05
  while zpty -r -t z more; do out+=$more; done
done
print -r -- "$out"
zpty -d z`;
    const folder = mkdtempSync(join(tmpdir(), 'wherry-zsh-'));
    t.teardown(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, 'completion');
    writeFileSync(file, call(name, 'completion', 'zsh'));
    return shell(t, ['zsh', '-f', '-c', script, 'zsh', file, line], name, answer);
  };
  t.regex(zsh('wherry', 'wherry st'), /stats +-- Show[\s\S]*status +-- Show/);
  t.regex(zsh('wherry-fleet', 'wherry-fleet rollout start --can'), /--canary/);
  t.regex(zsh('wherry', 'wherry logs -f ', listed), /db[\s\S]*web/);
});

for (const name of Object.keys(programs) as Name[]) {
  test(`the manual's page of ${name} renders without a warning`, (t) => {
    const page = call(name, 'man');
    for (const argv of [
      ['groff', '-man', '-ww', '-Tutf8'],
      ['mandoc', '-T', 'lint', '-W', 'warning'],
    ]) {
      const [program = '', ...args] = argv;
      const ran = spawnSync(program, args, { input: page });
      if (ran.error !== undefined) {
        t.log(`${program} is not here: the page is not shown to it`);
        continue;
      }
      t.is(ran.status, 0, ran.stdout.toString());
      t.is(ran.stderr.toString(), '');
    }
    t.regex(page, /^\.TH WHERRY[A-Z-]* [18] 2026-02-02 "Wherry \d/);
  });

  test(`${name} says its version, and exits with 2 on a word that it does not know`, (t) => {
    t.regex(call(name, '--version'), new RegExp(`^${name} \\d+\\.\\d+\\.\\d+\n$`));
    const ran = spawnSync(process.execPath, [join(dist, programs[name]), '--no-such-option', 'x']);
    t.is(ran.status, 2);
    t.regex(ran.stderr.toString(), /USAGE: .*--help'/);
  });
}

needs(['script'])(
  'the code of an error is coloured on a terminal, unless NO_COLOR or TERM says no',
  (t) => {
    const onTerminal = (env: Record<string, string>): string => {
      const words = `${process.execPath} ${join(dist, programs.wherry)} nope`;
      const { NO_COLOR: _, ...rest } = process.env;
      const ran = spawnSync('script', ['-qec', words, '/dev/null'], {
        env: { ...rest, TERM: 'xterm', ...env },
      });
      return ran.stdout.toString();
    };
    t.true(onTerminal({}).startsWith('wherry: \u001b[1;31mUSAGE\u001b[0m: '));
    t.regex(onTerminal({ NO_COLOR: '1' }), /^wherry: USAGE: /);
    t.regex(onTerminal({ TERM: 'dumb' }), /^wherry: USAGE: /);
  },
);
