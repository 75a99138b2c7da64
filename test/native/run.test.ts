// SPDX-License-Identifier: Apache-2.0
// The life cycle of a container, through the real binary. Most of it holds for any OCI runtime:
// WHERRY_TEST_RUNTIME=runc runs those tests against runc.
// runs: host, lab

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { nativeProgram } from '../../adapters/places.js';
import { aBox, aProcess, boxTest, cgroupFolders, until } from '../kit/run-box.js';

boxTest('run gives the output and the exit status of the program', (t) => {
  const box = aBox(t, ['/bin/sh', '-c', 'echo hello; hostname; exit 42']);
  const { code, out } = box.run();
  t.is(code, 42);
  t.is(out, 'hello\nbox\n');
});

boxTest('run gives 128 + signal for a program that a signal ends', (t) => {
  // As a child: the first process of a pid namespace cannot signal itself.
  const box = aBox(t, ['/bin/sleep', '100']);
  t.is(box.detached('run', '-d', '--bundle', box.bundle, box.id).code, 0);
  t.is(box.call(['exec', box.id, '/bin/sh', '-c', 'kill -9 $$']).code, 137);
});

boxTest('create does not run the program, start does, and the states follow', async (t) => {
  const box = aBox(t, ['/bin/sh', '-c', 'echo started; sleep 100']);
  const pidFile = join(box.folder, 'pid');
  const words = ['--bundle', box.bundle, '--pid-file', pidFile, box.id];
  const created = box.detached('create', ...words);
  t.is(created.code, 0, created.err);
  t.is(Number(readFileSync(pidFile, 'utf8')), Number(box.state()['pid']));
  t.is(box.state()['status'], 'created');
  t.is(box.output(), '');
  t.is(box.call(['start', box.id]).code, 0);
  t.true(await until(() => box.output() === 'started\n'));
  const running = box.state();
  t.is(running['status'], 'running');
  t.is(running['id'], box.id);
  t.is(running['bundle'], box.bundle);
  t.true(Number(running['pid']) > 1);
  t.is(box.call(['kill', box.id, 'KILL']).code, 0);
  t.true(await until(() => box.state()['status'] === 'stopped'));
  t.is(box.call(['delete', box.id]).code, 0);
  t.not(box.call(['state', box.id]).code, 0);
});

boxTest('an already started container cannot be started again', (t) => {
  const box = aBox(t, ['/bin/sleep', '100']);
  t.is(box.detached('run', '-d', '--bundle', box.bundle, box.id).code, 0);
  t.not(box.call(['start', box.id]).code, 0);
  t.is(box.state()['status'], 'running');
});

boxTest('delete of a running container fails, with --force it ends it', (t) => {
  const box = aBox(t, ['/bin/sleep', '100']);
  t.is(box.detached('run', '-d', '--bundle', box.bundle, box.id).code, 0);
  t.not(box.call(['delete', box.id]).code, 0);
  t.is(box.state()['status'], 'running');
  t.is(box.call(['delete', '--force', box.id]).code, 0);
  t.deepEqual(cgroupFolders(box.cgroup), []);
  t.is(box.call(['delete', '--force', box.id]).code, 0);
});

boxTest('a second container of the same id is refused and the first is not touched', (t) => {
  const box = aBox(t, ['/bin/sleep', '100']);
  t.is(box.detached('run', '-d', '--bundle', box.bundle, box.id).code, 0);
  t.not(box.detached('create', '--bundle', box.bundle, box.id).code, 0);
  t.is(box.state()['status'], 'running');
});

boxTest('kill of a stopped container is an error', async (t) => {
  const box = aBox(t, ['/bin/true']);
  t.is(box.detached('run', '-d', '--bundle', box.bundle, box.id).code, 0);
  t.true(await until(() => box.state()['status'] === 'stopped'));
  t.not(box.call(['kill', box.id, 'TERM']).code, 0);
});

boxTest('exec runs as the user, in the folder and with the environment that it is told', (t) => {
  const box = aBox(t, ['/bin/sleep', '100']);
  t.is(box.detached('run', '-d', '--bundle', box.bundle, box.id).code, 0);
  const options = ['--user', '1000:1001', '--cwd', '/tmp', '--env', 'A=b c'];
  const { code, out, err } = box.call(
    ['exec', ...options, box.id, '/bin/sh', '-c', 'id -u; id -g; pwd; echo "$A"; exit 3'],
    {},
  );
  t.is(out, '1000\n1001\n/tmp\nb c\n', err);
  t.is(code, 3);
});

boxTest('exec reads the process from a file', (t) => {
  const box = aBox(t, ['/bin/sleep', '100']);
  t.is(box.detached('run', '-d', '--bundle', box.bundle, box.id).code, 0);
  const file = join(box.folder, 'process.json');
  const process = { ...box.config.process, args: ['/bin/sh', '-c', 'ps | head -2 | tail -1'] };
  writeFileSync(file, JSON.stringify(process));
  const { code, out } = box.call(['exec', '--process', file, box.id]);
  t.is(code, 0);
  t.regex(out, /^\s+1 .*sleep 100/);
});

boxTest('a program that is not there is said so at create, and nothing is left', (t) => {
  const box = aBox(t, ['/bin/no-such-program']);
  const { code, err } = box.detached('create', '--bundle', box.bundle, box.id);
  t.not(code, 0);
  t.regex(err, /no-such-program/);
  t.false(existsSync(join(box.stateRoot, box.id)));
  t.deepEqual(cgroupFolders(box.cgroup), []);
});

boxTest(
  'a program for another machine is said so by start',
  (t) => {
    const box = aBox(t, ['/bin/foreign']);
    writeFileSync(join(box.rootfs, 'bin/foreign'), '\x7fELF\x02\x01\x01garbage', { mode: 0o755 });
    t.is(box.detached('create', '--bundle', box.bundle, box.id).code, 0);
    const started = box.call(['--log-format', 'json', 'start', box.id]);
    t.is(started.code, 126);
    t.is((JSON.parse(started.err) as { code: string }).code, 'BOX_EXEC');
    t.is(box.state()['status'], 'stopped');
  },
  { own: true },
);

boxTest(
  'exec gives 127 for an absent program and 126 for one that may not run',
  (t) => {
    const box = aBox(t, ['/bin/sleep', '100']);
    writeFileSync(join(box.rootfs, 'data/plain'), 'x', { mode: 0o644 });
    t.is(box.detached('run', '-d', '--bundle', box.bundle, box.id).code, 0);
    t.is(box.call(['exec', box.id, 'absent']).code, 127);
    t.is(box.call(['exec', box.id, '/data/plain']).code, 126);
  },
  { own: true },
);

boxTest('the bundle may change after create: what was read then counts', async (t) => {
  const box = aBox(t, ['/bin/echo', 'first']);
  t.is(box.detached('create', '--bundle', box.bundle, box.id).code, 0);
  box.config.process.args = ['/bin/echo', 'second'];
  box.save();
  t.is(box.call(['start', box.id]).code, 0);
  t.true(await until(() => box.output() === 'first\n'));
});

boxTest('hooks run in their order, and see the state on stdin', (t) => {
  const box = aBox(t, ['/bin/true'], (config, bundle) => {
    const note = (name: string) => ({
      path: '/bin/sh',
      args: ['sh', '-c', `cat > ${bundle}/${name}.json; echo ${name} >> ${bundle}/order`],
    });
    for (const name of ['prestart', 'createRuntime', 'createContainer', 'poststart', 'poststop']) {
      config.hooks[name] = [note(name)];
    }
  });
  t.is(box.run().code, 0);
  const order = readFileSync(join(box.bundle, 'order'), 'utf8').trim().split('\n');
  t.deepEqual(order, ['prestart', 'createRuntime', 'createContainer', 'poststart', 'poststop']);
  const state = JSON.parse(readFileSync(join(box.bundle, 'createRuntime.json'), 'utf8')) as {
    id: string;
    pid: number;
  };
  t.is(state.id, box.id);
  t.true(state.pid > 1);
});

boxTest('a hook that fails ends the create, poststop still runs, nothing is left', (t) => {
  const box = aBox(t, ['/bin/true'], (config, bundle) => {
    config.hooks['createRuntime'] = [{ path: '/bin/false' }];
    config.hooks['poststop'] = [{ path: '/bin/sh', args: ['sh', '-c', `touch ${bundle}/end`] }];
  });
  t.not(box.detached('create', '--bundle', box.bundle, box.id).code, 0);
  t.true(existsSync(join(box.bundle, 'end')));
  t.false(existsSync(join(box.stateRoot, box.id)));
  t.deepEqual(cgroupFolders(box.cgroup), []);
});

boxTest(
  'a hook that hangs is ended by its timeout',
  (t) => {
    const box = aBox(t, ['/bin/true'], (config) => {
      config.hooks['prestart'] = [{ path: '/bin/sleep', args: ['sleep', '60'], timeout: 1 }];
    });
    const from = Date.now();
    const { code, err } = box.detached('create', '--bundle', box.bundle, box.id);
    t.not(code, 0);
    t.regex(err, /longer than 1 s/);
    t.true(Date.now() - from < 10_000);
  },
  { own: true },
);

boxTest(
  'a poststop hook that fails is a warning: the rest runs and delete succeeds',
  async (t) => {
    const box = aBox(t, ['/bin/true'], (config, bundle) => {
      const touch = { path: '/bin/sh', args: ['sh', '-c', `touch ${bundle}/second`] };
      config.hooks['poststop'] = [{ path: '/bin/false' }, touch];
    });
    t.is(box.detached('run', '-d', '--bundle', box.bundle, box.id).code, 0);
    t.true(await until(() => box.state()['status'] === 'stopped'));
    const deleted = box.call(['delete', box.id]);
    t.is(deleted.code, 0);
    t.regex(deleted.err, /warning/);
    t.true(existsSync(join(box.bundle, 'second')));
  },
  { own: true },
);

boxTest(
  'a process that reuses the number of a dead container is neither seen nor signalled',
  async (t) => {
    const box = aBox(t, ['/bin/true']);
    t.is(box.detached('run', '-d', '--bundle', box.bundle, box.id).code, 0);
    t.true(await until(() => box.state()['status'] === 'stopped'));
    // The kernel counts start times in hundredths of a second: not in the same one.
    await sleep(50);
    const pid = aProcess(t, '/bin/sleep', '100');
    const file = join(box.stateRoot, box.id, 'state.json');
    const state = JSON.parse(readFileSync(file, 'utf8')) as { pid: number };
    writeFileSync(file, JSON.stringify({ ...state, pid }));
    t.is(box.state()['status'], 'stopped');
    t.not(box.call(['kill', box.id, 'KILL']).code, 0);
    t.is(box.call(['delete', '--force', box.id]).code, 0);
    t.true(existsSync(`/proc/${pid}`));
  },
  { own: true },
);

boxTest(
  'a state file whose group lies outside of all groups is not acted upon',
  async (t) => {
    const box = aBox(t, ['/bin/true']);
    t.is(box.detached('run', '-d', '--bundle', box.bundle, box.id).code, 0);
    t.true(await until(() => box.state()['status'] === 'stopped'));
    const file = join(box.stateRoot, box.id, 'state.json');
    const text = readFileSync(file, 'utf8');
    const state = JSON.parse(text) as Record<string, unknown>;
    for (const cgroup of ['/..', '/a/../../b', 'x']) {
      writeFileSync(file, JSON.stringify({ ...state, cgroup }));
      t.not(box.call(['delete', '--force', box.id]).code, 0, cgroup);
    }
    writeFileSync(file, text);
  },
  { own: true },
);

boxTest(
  'a create that was killed half-way is cleared away by delete --force',
  (t) => {
    const box = aBox(t, ['/bin/sleep', '100'], (config) => {
      config.hooks['createRuntime'] = [{ path: '/bin/sleep', args: ['sleep', '3'] }];
    });
    const killed = spawnSync('timeout', [
      '-s',
      'KILL',
      '0.5',
      nativeProgram('wherry-run'),
      ...['--root', box.stateRoot, 'create', '--bundle', box.bundle, box.id],
    ]);
    t.not(killed.status, 0);
    t.true(cgroupFolders(box.cgroup).length > 0);
    t.is(box.call(['delete', '--force', box.id]).code, 0);
    t.deepEqual(cgroupFolders(box.cgroup), []);
    t.false(existsSync(join(box.stateRoot, box.id)));
  },
  { own: true },
);

boxTest('list names the containers', (t) => {
  const box = aBox(t, ['/bin/sleep', '100']);
  t.is(box.detached('run', '-d', '--bundle', box.bundle, box.id).code, 0);
  const { out } = box.call(['list', '--format', 'json']);
  const rows = JSON.parse(out) as { id: string; status: string }[];
  t.deepEqual(
    rows.map(({ id, status }) => [id, status]),
    [[box.id, 'running']],
  );
});

boxTest(
  'errors are one line for a person on stderr and one JSON line in --log',
  (t) => {
    const box = aBox(t, ['/bin/true']);
    const log = join(box.folder, 'log');
    const { code, err } = box.call(['--log', log, 'state', 'absent']);
    t.is(code, 1);
    t.is(err.trim().split('\n').length, 1);
    const record = JSON.parse(readFileSync(log, 'utf8')) as Record<string, unknown>;
    t.is(record['code'], 'BOX_ABSENT');
    t.is(record['level'], 'error');
    const json = box.call(['--log-format', 'json', 'state', 'absent']);
    t.is((JSON.parse(json.err) as { code: string }).code, 'BOX_ABSENT');
  },
  { own: true },
);

boxTest(
  'ids that could be a path or an option are refused',
  (t) => {
    const box = aBox(t, ['/bin/true']);
    mkdirSync(box.stateRoot, { recursive: true, mode: 0o700 });
    for (const id of ['..', '.', 'a/b', '../x', '', 'a b', 'a\n', 'x'.repeat(129)]) {
      const made = box.detached('--log-format', 'json', 'create', '--bundle', box.bundle, id);
      t.is((JSON.parse(made.err) as { code: string }).code, 'BOX_ID', JSON.stringify(id));
    }
  },
  { own: true },
);
