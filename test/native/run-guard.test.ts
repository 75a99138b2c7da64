// SPDX-License-Identifier: Apache-2.0
// What a container must not be able to do. Each title names the attack or the promise.
// runs: host, lab

import {
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { aBox, boxTest, foreign } from '../kit/run-box.js';

const capsOf = (text: string) =>
  Object.fromEntries([...text.matchAll(/^(Cap\w+):\s+([0-9a-f]+)$/gm)].map((m) => [m[1], m[2]]));

boxTest('without capabilities in the bundle all five sets are empty', (t) => {
  const box = aBox(t, ['/bin/cat', '/proc/self/status']);
  const none = '0000000000000000';
  t.deepEqual(capsOf(box.run().out), {
    CapInh: none,
    CapPrm: none,
    CapEff: none,
    CapBnd: none,
    CapAmb: none,
  });
});

boxTest('exactly the listed capabilities are there, for exec too', (t) => {
  const box = aBox(t, ['/bin/sleep', '100'], (config) => {
    const caps = ['CAP_CHOWN', 'CAP_NET_RAW'];
    config.process.capabilities = { bounding: caps, effective: caps, permitted: caps };
  });
  t.is(box.detached('run', '-d', '--bundle', box.bundle, box.id).code, 0);
  const { CapEff, CapBnd, CapInh } = capsOf(
    box.call(['exec', box.id, '/bin/cat', '/proc/self/status']).out,
  );
  t.is(CapEff, '0000000000002001');
  t.is(CapBnd, '0000000000002001');
  t.is(CapInh, '0000000000000000');
});

boxTest('an ambient capability stays with a user that is not root', (t) => {
  const box = aBox(t, ['/bin/cat', '/proc/self/status'], (config) => {
    const caps = ['CAP_NET_BIND_SERVICE'];
    config.process.user = { uid: 1000, gid: 1000, additionalGids: [5, 6] };
    config.process.capabilities = {
      bounding: caps,
      effective: caps,
      permitted: caps,
      inheritable: caps,
      ambient: caps,
    };
  });
  const { out } = box.run();
  t.is(capsOf(out)['CapEff'], '0000000000000400');
  t.regex(out, /^Uid:\s+1000\s+1000\s+1000\s+1000$/m);
  t.regex(out, /^Groups:\s+5 6\s*$/m);
  t.regex(out, /^NoNewPrivs:\s+1$/m);
});

const seccomp = (syscalls: unknown[], defaultAction = 'SCMP_ACT_ALLOW') => ({
  defaultAction,
  architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
  syscalls,
});

boxTest('seccomp: a refused call gives the errno of its rule', (t) => {
  const box = aBox(t, ['/bin/sh', '-c', 'mkdir /tmp/a; hostname x; echo end'], (config) => {
    config.linux.seccomp = seccomp([
      { names: ['mkdir', 'mkdirat', 'no_such_call'], action: 'SCMP_ACT_ERRNO', errnoRet: 28 },
      { names: ['sethostname'], action: 'SCMP_ACT_ERRNO' },
    ]);
  });
  const { out, err } = box.run();
  t.is(out, 'end\n');
  t.regex(err, /No space left on device/);
  t.regex(err, /Operation not permitted/);
});

boxTest('seccomp: it also holds for exec, and without no_new_privileges', (t) => {
  const box = aBox(t, ['/bin/sleep', '100'], (config) => {
    config.process.noNewPrivileges = false;
    config.linux.seccomp = seccomp([{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO' }]);
  });
  t.is(box.detached('run', '-d', '--bundle', box.bundle, box.id).code, 0);
  const { code, err } = box.call(['exec', box.id, '/bin/mkdir', '/tmp/a']);
  t.is(code, 1);
  t.regex(err, /not permitted/);
});

/** Each row: operator, value, second value, and which of the kill signals 1, 10 and 15 pass. */
const comparisons: [string, number, number, string][] = [
  ['SCMP_CMP_EQ', 10, 0, '10'],
  ['SCMP_CMP_NE', 10, 0, '1 15'],
  ['SCMP_CMP_LT', 10, 0, '1'],
  ['SCMP_CMP_LE', 10, 0, '1 10'],
  ['SCMP_CMP_GE', 10, 0, '10 15'],
  ['SCMP_CMP_GT', 10, 0, '15'],
  ['SCMP_CMP_MASKED_EQ', 2, 2, '10 15'],
];

boxTest('seccomp: every comparison of arguments lets through what it says', (t) => {
  for (const [op, value, valueTwo, passing] of comparisons) {
    // kill of a process that is not there: ESRCH if the filter lets it through, EPERM if not.
    const script = 'for s in 1 10 15; do kill -$s 99 2>&1 | grep -q "No such" && echo $s; done';
    const box = aBox(t, ['/bin/sh', '-c', script], (config) => {
      config.linux.seccomp = seccomp([
        { names: ['kill'], action: 'SCMP_ACT_ALLOW', args: [{ index: 1, value, valueTwo, op }] },
        { names: ['kill'], action: 'SCMP_ACT_ERRNO' },
      ]);
    });
    if (foreign === undefined) t.is(box.run().out.trim().replaceAll('\n', ' '), passing, op);
  }
  t.pass();
});

boxTest('masked paths are empty, read-only paths and a read-only root cannot be written', (t) => {
  const script =
    'ls /data | wc -l; cat /etc/secret | wc -c; touch /tmp/a || echo tmp; echo 1 > /proc/sys/kernel/shmmni || echo sys; touch /x || echo root; touch /dev/shm-is-tmpfs && echo dev';
  const box = aBox(t, ['/bin/sh', '-c', script], (config) => {
    config.root.readonly = true;
    config.linux.maskedPaths = ['/data', '/etc/secret', '/not/there', '/proc/kcore'];
    config.linux.readonlyPaths = ['/proc/sys', '/not/there'];
  });
  writeFileSync(join(box.rootfs, 'data/file'), 'x');
  writeFileSync(join(box.rootfs, 'etc/secret'), 'secret');
  t.is(box.run().out, '0\n0\ntmp\nsys\nroot\ndev\n');
  t.is(readFileSync(join(box.rootfs, 'etc/secret'), 'utf8'), 'secret');
});

boxTest('no descriptor of the runtime reaches the program, in run and in exec', (t) => {
  // ls itself opens the folder: the one descriptor beyond 2.
  const box = aBox(t, ['/bin/sh', '-c', 'ls /proc/self/fd; sleep 100']);
  t.is(box.detached('run', '-d', '--bundle', box.bundle, box.id).code, 0);
  const { out } = box.call(['exec', box.id, '/bin/ls', '/proc/self/fd']);
  t.is(out, '0\n1\n2\n3\n');
  t.is(box.output(), '0\n1\n2\n3\n');
});

boxTest(
  'CVE-2024-21626: a working directory behind a descriptor of the runtime is refused',
  (t) => {
    for (let fd = 3; fd < 12; fd++) {
      const box = aBox(t, ['/bin/sh', '-c', 'pwd; ls ../../../..'], (config) => {
        config.process.cwd = `/proc/self/fd/${fd}`;
      });
      const { code, out } = box.run();
      t.not(code, 0, `fd ${fd}`);
      t.is(out, '');
    }
  },
);

boxTest('CVE-2024-21626: the same through exec --cwd', (t) => {
  const box = aBox(t, ['/bin/sleep', '100']);
  t.is(box.detached('run', '-d', '--bundle', box.bundle, box.id).code, 0);
  for (let fd = 3; fd < 12; fd++) {
    t.not(box.call(['exec', '--cwd', `/proc/self/fd/${fd}`, box.id, '/bin/pwd']).code, 0);
  }
});

boxTest('CVE-2019-19921: an image whose /proc is a link is refused', (t) => {
  const box = aBox(t, ['/bin/true']);
  rmSync(join(box.rootfs, 'proc'), { recursive: true });
  symlinkSync('/tmp', join(box.rootfs, 'proc'));
  t.not(box.run().code, 0);
});

boxTest(
  'CVE-2026-41579: an image whose /dev is a link to a host path makes nothing there',
  (t) => {
    const box = aBox(t, ['/bin/true'], (config) => {
      config.mounts = config.mounts.filter(({ destination }) => !destination.startsWith('/dev'));
    });
    const victim = join(box.folder, 'victim');
    mkdirSync(victim);
    rmSync(join(box.rootfs, 'dev'), { recursive: true });
    symlinkSync(victim, join(box.rootfs, 'dev'));
    box.run();
    t.deepEqual(readdirSync(victim), []);
  },
  // runc 1.1.5 falls for it.
  { own: true },
);

boxTest('CVE-2021-30465: a volume whose destination is a link stays inside the root', (t) => {
  const box = aBox(t, ['/bin/true'], (config, bundle) => {
    mkdirSync(join(bundle, 'volume'));
    config.mounts.push({
      destination: '/data/link/sub',
      source: join(bundle, 'volume'),
      options: ['bind', 'ro'],
    });
  });
  const victim = join(box.folder, 'victim');
  mkdirSync(victim);
  symlinkSync(victim, join(box.rootfs, 'data/link'));
  box.run();
  t.deepEqual(readdirSync(victim), []);
});

boxTest('CVE-2025-31133: a /dev/null of the image that is a link does not become the mask', (t) => {
  const box = aBox(
    t,
    ['/bin/sh', '-c', 'cat /etc/secret; echo; stat -c %t:%T /etc/secret'],
    (config) => {
      config.mounts = config.mounts.filter(({ destination }) => destination !== '/dev');
      config.mounts = config.mounts.filter(({ destination }) => destination !== '/dev/pts');
      config.linux.maskedPaths = ['/etc/secret'];
    },
  );
  writeFileSync(join(box.rootfs, 'etc/secret'), 'secret');
  writeFileSync(join(box.rootfs, 'etc/bait'), 'bait');
  symlinkSync('/etc/bait', join(box.rootfs, 'dev/null'));
  const { out } = box.run();
  t.notRegex(out, /secret$|bait/m);
});

boxTest(
  'CVE-2026-30892: a user that is not a plain number is never root',
  (t) => {
    const box = aBox(t, ['/bin/sleep', '100']);
    t.is(box.detached('run', '-d', '--bundle', box.bundle, box.id).code, 0);
    for (const user of [
      '',
      ' 1',
      '+1',
      '1x',
      '-1',
      '4294967295',
      '4294967296',
      ':5',
      '1:',
      'root',
    ]) {
      const { code, out } = box.call(['exec', '--user', user, box.id, '/bin/id']);
      t.is(code, 2, JSON.stringify(user));
      t.is(out, '');
    }
  },
  { own: true },
);

boxTest(
  'CVE-2019-5736: what a container can reach of the runtime is a sealed copy in memory',
  (t) => {
    const box = aBox(t, ['/bin/sleep', '100']);
    t.is(box.detached('create', '--bundle', box.bundle, box.id).code, 0);
    // Created, not started: its first process still is the runtime.
    const exe = `/proc/${Number(box.state()['pid'])}/exe`;
    t.is(readlinkSync(exe), '/memfd:wherry-run (deleted)');
    t.throws(() => openSync(exe, 'r+'), { message: /ETXTBSY|EPERM/ });
    const itself = aBox(t, ['/proc/self/exe', '--version']);
    t.regex(itself.run().out, /^wherry-run version/);
  },
  { own: true },
);

boxTest('a sysctl of the host is refused, one of an own namespace is set', (t) => {
  const box = aBox(t, ['/bin/cat', '/proc/sys/net/ipv4/ip_default_ttl'], (config) => {
    config.linux.sysctl = { 'net.ipv4.ip_default_ttl': '33' };
  });
  t.is(box.run().out, '33\n');
  const bad = aBox(t, ['/bin/true'], (config) => {
    config.linux.sysctl = { 'kernel.core_pattern': '|/bin/x' };
  });
  t.not(bad.run().code, 0);
});

boxTest('the default devices are there and are the right ones', (t) => {
  const box = aBox(t, ['/bin/stat', '-c', '%n %F %t:%T', '/dev/null', '/dev/zero', '/dev/tty']);
  t.is(
    box.run().out,
    [
      '/dev/null character special file 1:3',
      '/dev/zero character special file 1:5',
      '/dev/tty character special file 5:0',
      '',
    ].join('\n'),
  );
});

boxTest(
  'descriptors of --preserve-fds are passed on, and one that is not there is an error',
  (t) => {
    const box = aBox(t, ['/bin/sh', '-c', 'cat <&3']);
    writeFileSync(join(box.folder, 'given'), 'given');
    const prefix = ['sh', '-c', `exec 3<${join(box.folder, 'given')}; exec "$0" "$@"`];
    const words = ['--bundle', box.bundle, box.id];
    t.is(box.call(['run', '--preserve-fds', '1', ...words], { prefix }).out, 'given');
    t.is(box.call(['run', '--preserve-fds', '9', ...words], { prefix }).code, 2);
    t.is(box.call(['run', '--preserve-fds', 'x', ...words], { prefix }).code, 2);
  },
  { own: true },
);

boxTest('nothing of the container comes up among the mounts of the host', (t) => {
  const before = readFileSync('/proc/self/mountinfo', 'utf8');
  const box = aBox(t, ['/bin/sleep', '100']);
  t.is(box.detached('run', '-d', '--bundle', box.bundle, box.id).code, 0);
  t.is(readFileSync('/proc/self/mountinfo', 'utf8'), before);
  t.true(existsSync(join(box.rootfs, 'bin/busybox')));
  t.true(lstatSync(join(box.rootfs, 'dev')).isDirectory());
});
