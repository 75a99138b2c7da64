// SPDX-License-Identifier: Apache-2.0
// Limits of a container: seen in the kernel's files, and biting.
// runs: host, lab

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { aBox, boxTest, cgroupFolders, cgroupValue, until } from '../kit/run-box.js';

const isV2 = existsSync('/sys/fs/cgroup/cgroup.controllers');

boxTest('memory, cpu and pids limits stand in the files of the kernel', (t) => {
  const box = aBox(t, ['/bin/sleep', '100'], (config) => {
    config.linux.resources = {
      memory: { limit: 33_554_432, reservation: 16_777_216 },
      cpu: { quota: 25_000, period: 50_000 },
      pids: { limit: 17 },
    };
  });
  const { code, err } = box.detached('run', '-d', '--bundle', box.bundle, box.id);
  t.is(code, 0, err);
  t.is(cgroupValue(box.cgroup, 'memory.limit_in_bytes', 'memory.max'), '33554432');
  t.is(cgroupValue(box.cgroup, 'memory.soft_limit_in_bytes', 'memory.low'), '16777216');
  t.regex(cgroupValue(box.cgroup, 'cpu.cfs_quota_us', 'cpu.max'), /^25000/);
  t.is(cgroupValue(box.cgroup, 'pids.max', 'pids.max'), '17');
  t.true(cgroupFolders(box.cgroup).length >= (isV2 ? 1 : 5));
});

boxTest('a program that wants more memory than its limit is killed', (t) => {
  const box = aBox(t, ['/bin/tail', '/dev/zero'], (config) => {
    config.linux.resources = { memory: { limit: 16_777_216, swap: 16_777_216 } };
  });
  t.is(box.run().code, 137);
});

boxTest('a program that wants more processes than its limit does not get them', (t) => {
  const script = 'for i in 1 2 3 4 5 6 7 8 9; do sleep 3 & done; echo all';
  const box = aBox(t, ['/bin/sh', '-c', script], (config) => {
    config.linux.resources = { pids: { limit: 5 } };
  });
  const { out, err } = box.run();
  t.notRegex(out, /all/);
  t.regex(err, /fork/);
});

boxTest('delete --force ends a fork bomb and leaves no group', async (t) => {
  const bomb =
    'i=0; while [ $i -lt 30 ]; do (while true; do /bin/sleep 0.01; done) & i=$((i+1)); done; wait';
  const box = aBox(t, ['/bin/sh', '-c', bomb], (config) => {
    config.linux.resources = { pids: { limit: 80 } };
  });
  t.is(box.detached('run', '-d', '--bundle', box.bundle, box.id).code, 0);
  t.true(await until(() => Number(cgroupValue(box.cgroup, 'pids.current', 'pids.current')) > 40));
  t.is(box.call(['delete', '--force', box.id]).code, 0);
  t.deepEqual(cgroupFolders(box.cgroup), []);
});

boxTest('delete --force ends a container that shares the pid namespace of the host', async (t) => {
  const box = aBox(t, ['/bin/sh', '-c', 'sleep 1000 & sleep 1000 & wait'], (config) => {
    config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== 'pid');
  });
  t.is(box.detached('run', '-d', '--bundle', box.bundle, box.id).code, 0);
  const procs = () => {
    const folder = cgroupFolders(box.cgroup)[0];
    if (folder === undefined) return [];
    return readFileSync(join(folder, 'cgroup.procs'), 'utf8').trim().split('\n');
  };
  t.true(await until(() => procs().length === 3));
  const pids = procs();
  t.is(box.call(['delete', '--force', box.id]).code, 0);
  t.deepEqual(cgroupFolders(box.cgroup), []);
  t.true(await until(() => pids.every((pid) => !existsSync(`/proc/${pid}`))));
});

boxTest('devices that the rules do not allow cannot be opened, the default ones can', (t) => {
  const script =
    'mknod /tmp/kmsg c 1 11; head -c 1 /tmp/kmsg > /tmp/x || echo refused; head -c 3 /dev/zero | wc -c';
  const box = aBox(t, ['/bin/sh', '-c', script], (config) => {
    config.linux.resources = { devices: [{ allow: false, access: 'rwm' }] };
    const caps = ['CAP_MKNOD', 'CAP_SYSLOG'];
    config.process.capabilities = { bounding: caps, effective: caps, permitted: caps };
  });
  const { out } = box.run();
  t.is(out, 'refused\n3\n');
});

boxTest(
  'a limit that no controller offers is an error, not a wish',
  (t) => {
    const box = aBox(t, ['/bin/true'], (config) => {
      config.linux.resources = { hugepageLimits: [{ pageSize: '2MB', limit: 1 }] };
    });
    const { code, err } = box.run();
    t.is(code, 1);
    t.regex(err, /BOX_CGROUP/);
    t.deepEqual(cgroupFolders(box.cgroup), []);
  },
  { own: true },
);

boxTest(
  'a value that the kernel refuses is an error, and the groups are gone again',
  (t) => {
    const box = aBox(t, ['/bin/true'], (config) => {
      config.linux.resources = { cpu: { quota: 1, period: 1 } };
    });
    const { code, err } = box.run();
    t.is(code, 1);
    t.regex(err, /BOX_CGROUP.*cpu/);
    t.deepEqual(cgroupFolders(box.cgroup), []);
  },
  { own: true },
);

boxTest(
  'a cgroupsPath that leads upwards is refused',
  (t) => {
    for (const path of ['/', '/a/../../b', '..', '/./x', '/a//b']) {
      const box = aBox(t, ['/bin/true'], (config) => {
        config.linux.cgroupsPath = path;
      });
      const { code, err } = box.run();
      t.is(code, 1, path);
      t.regex(err, /BOX_SPEC.*cgroupsPath/, path);
    }
  },
  { own: true },
);

boxTest(
  'a group that holds processes of others is not taken',
  (t) => {
    const first = aBox(t, ['/bin/sleep', '100']);
    t.is(first.detached('run', '-d', '--bundle', first.bundle, first.id).code, 0);
    const second = aBox(t, ['/bin/true'], (config) => {
      config.linux.cgroupsPath = first.cgroup;
    });
    const { code, err } = second.run();
    t.is(code, 1);
    t.regex(err, /BOX_CGROUP/);
    t.is(first.state()['status'], 'running');
  },
  { own: true },
);

/** Runs the runtime where it sees a cgroup v2 tree alone, as on a new distribution. */
const v2Only = [
  'unshare',
  '-m',
  'sh',
  '-c',
  isV2 ? 'exec "$0" "$@"' : 'mount -t cgroup2 none /sys/fs/cgroup && exec "$0" "$@"',
];

boxTest(
  'on pure cgroup v2: device rules bite, a missing controller is an error, nothing is left',
  (t) => {
    const script =
      'mknod /tmp/kmsg c 1 11; head -c 1 /tmp/kmsg > /tmp/x || echo refused; head -c 3 /dev/zero | wc -c; cat /proc/self/cgroup | tail -1';
    const box = aBox(t, ['/bin/sh', '-c', script], (config) => {
      config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== 'cgroup');
      const rule = { allow: true, type: 'c', major: 1, minor: 11, access: 'w' };
      config.linux.resources = { devices: [{ allow: false, access: 'rwm' }, rule] };
      const caps = ['CAP_MKNOD', 'CAP_SYSLOG'];
      config.process.capabilities = { bounding: caps, effective: caps, permitted: caps };
    });
    const run = () => box.call(['run', '--bundle', box.bundle, box.id], { prefix: v2Only });
    const { out, err } = run();
    t.is(out, `refused\n3\n0::${box.cgroup}\n`, err);
    box.config.linux.resources = { blockIO: { weight: 500 } };
    box.save();
    const refused = run();
    if (refused.code !== 0) t.regex(refused.err, /BOX_CGROUP.*\bio\b/);
    t.deepEqual(cgroupFolders(box.cgroup), []);
  },
  { own: true },
);

boxTest('resource limits of the process are set', (t) => {
  const box = aBox(t, ['/bin/sh', '-c', 'ulimit -n; ulimit -Hn'], (config) => {
    config.process.rlimits = [{ type: 'RLIMIT_NOFILE', soft: 64, hard: 128 }];
  });
  t.is(box.run().out, '64\n128\n');
});

boxTest(
  'a resource limit that may not be raised is BOX_RLIMIT and names it',
  (t) => {
    const hard = Number(
      /Max open files\s+\d+\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1],
    );
    const box = aBox(t, ['/bin/true'], (config) => {
      config.process.rlimits = [{ type: 'RLIMIT_NOFILE', soft: hard + 1, hard: 2 ** 40 }];
    });
    const { code, err } = box.run();
    t.is(code, 1);
    t.regex(err, /BOX_RLIMIT.*RLIMIT_NOFILE/);
  },
  { own: true },
);
