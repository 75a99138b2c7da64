// SPDX-License-Identifier: Apache-2.0
// Under systemd: the log as the journal wants it, and the word that we are ready, heard on a real datagram socket.

import { spawn, spawnSync } from 'node:child_process';
import { closeSync, fstatSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { needs } from '../kit/needs.js';

const dist = join(dirname(fileURLToPath(import.meta.url)), '../..');
const lines = `
  const { openLog } = await import('${dist}/adapters/log.js');
  const log = openLog('prog', 'debug');
  log.debug({}, 'd');
  log.info({ a: 1 }, 'i');
  log.warn({}, 'w\\nw');
  log.child({ part: 'x' }).error({ code: 'BUG' }, 'e');
`;

function temporary(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'wherry-journal-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** What `script` writes to stderr, which is a file, with JOURNAL_STREAM naming it or not. */
function logged(t: ExecutionContext, script: string, inJournal: boolean): string[] {
  const path = join(temporary(t), 'log');
  const fd = openSync(path, 'w');
  const { dev, ino } = fstatSync(fd);
  const env = { ...process.env, JOURNAL_STREAM: inJournal ? `${dev}:${ino}` : '1:2' };
  const args = ['--input-type=module', '-e', script];
  spawnSync(process.execPath, args, { env, stdio: ['ignore', 'ignore', fd] });
  closeSync(fd);
  return readFileSync(path, 'utf8').trimEnd().split('\n');
}

test('in the journal a line has its priority, and neither time nor name', (t) => {
  t.deepEqual(logged(t, lines, true), [
    '<7>{"level":"debug","msg":"d"}',
    '<6>{"level":"info","a":1,"msg":"i"}',
    '<4>{"level":"warn","msg":"w\\nw"}',
    '<3>{"level":"error","part":"x","code":"BUG","msg":"e"}',
  ]);
});

test('elsewhere a line is JSON with time and name, also where the variable names another stream', (t) => {
  const found = logged(t, lines, false).map((line) => JSON.parse(line) as Record<string, string>);
  t.deepEqual(
    found.map(({ level }) => level),
    ['debug', 'info', 'warn', 'error'],
  );
  for (const { name, time } of found) {
    t.is(name, 'prog');
    t.regex(time ?? '', /^\d{4}-.*Z$/);
  }
});

test('what a program says as it fails is an error in the journal too', (t) => {
  const script = `process.argv = ['node', 'prog', 'nope'];
    const { main } = await import('${dist}/adapters/terminal.js');
    await main({ name: 'prog', about: '', options: {}, commands: [] });`;
  const [first = '', second = ''] = logged(t, script, true);
  t.regex(first, /^<3>prog: USAGE: /);
  t.regex(second, /^<3> {2}/);
});

const listener = `import socket, sys
one = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
one.bind(sys.argv[1])
print('bound', flush=True)
one.settimeout(20)
# systemd-notify then asks, by a file that we close, whether its first word was read
for _ in range(2): print(one.recv(4096).decode(), flush=True)`;
const teller = `
  const { notifyReady } = await import('${dist}/adapters/journal.js');
  const problem = await notifyReady();
  console.log(problem, process.env['NOTIFY_SOCKET']);
`;

needs(['python3', 'systemd-notify'])(
  'systemd is told that we are ready, and those we start are not given its socket',
  async (t) => {
    const socket = join(temporary(t), 'notify');
    const heard = spawn('python3', ['-c', listener, socket]);
    t.teardown(() => heard.kill());
    let text = '';
    const bound = new Promise<void>((resolve) => {
      heard.stdout.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        if (text.includes('bound')) resolve();
      });
    });
    const ended = new Promise((resolve) => heard.once('close', resolve));
    await bound;
    const env = { ...process.env, NOTIFY_SOCKET: socket };
    const told = spawnSync(process.execPath, ['--input-type=module', '-e', teller], {
      env,
      timeout: 20_000,
    });
    t.is(told.stdout.toString(), 'undefined undefined\n', told.stderr.toString());
    await ended;
    t.regex(text, /READY=1/);
  },
);

test('without systemd nothing is told and nothing is wrong', (t) => {
  const { NOTIFY_SOCKET: _, ...env } = process.env;
  const told = spawnSync(process.execPath, ['--input-type=module', '-e', teller], { env });
  t.is(told.stdout.toString(), 'undefined undefined\n');
});
