// SPDX-License-Identifier: Apache-2.0
// config.json, key by key.

import { join } from 'node:path';
import test from 'ava';
import { placesOf } from '../../../adapters/places.js';
import { hostDevices } from '../../../agent/run/host.js';
import { layoutOf } from '../../../agent/run/layout.js';
import { cpuOf } from '../../../agent/run/limits.js';
import type { OciSpec } from '../../../agent/run/oci.js';
import { healthOf, stopSignalOf } from '../../../agent/run/probe.js';
import { seccomp } from '../../../agent/run/seccomp.js';
import { specOf } from '../../../agent/run/spec.js';
import type { VolumeMount } from '../../../agent/run/spec-mounts.js';
import { defaultCapabilities } from '../../../protocol/capability.js';
import type { Workload } from '../../../protocol/release.js';
import { anImageConfig, aWorkload, tempFolder } from '../../kit/box-container.js';

const places = placesOf('/');

function spec(
  changed: Partial<Workload> = {},
  volumes: readonly VolumeMount[] = [],
  bindRoots: readonly string[] = ['/'],
): OciSpec {
  return specOf({
    id: 'web-0123456789',
    workload: aWorkload(changed),
    config: anImageConfig({ architecture: 'amd64' }),
    layers: ['/l/top', '/l/low'],
    user: { uid: 0, gid: 0, additionalGids: [], home: '/root' },
    volumes,
    address: '10.88.0.5',
    bindRoots,
    layout: layoutOf('/state/containers/web-0123456789'),
    places,
    host: {
      capabilities: defaultCapabilities,
      nofileMax: 20_000,
      limits: { nofile: 20_000 },
      oomScoreAdj: 0,
    },
    devices: [{ path: '/dev/x', type: 'c', major: 1, minor: 2, fileMode: 0o600, uid: 0, gid: 0 }],
  });
}

const optionsAt = (made: OciSpec, path: string): readonly string[] =>
  made.mounts.find((mount) => mount.destination === path)?.options ?? [];

test('The frame: version, root, host name and namespaces', (t) => {
  const made = spec();
  t.is(made.ociVersion, '1.0.2');
  t.deepEqual(made.root, { path: 'rootfs', readonly: false });
  t.is(made.hostname, 'web');
  t.deepEqual(
    made.linux.namespaces.map(({ type }) => type),
    ['pid', 'network', 'ipc', 'uts', 'mount', 'cgroup'],
  );
  t.is(made.linux.cgroupsPath, '/wherry/web-0123456789');
  t.true(spec({ readOnly: true }).root.readonly);
});

test('The annotations name the layers topmost first, the writable folder, bridge and addresses', (t) => {
  t.deepEqual(spec({ labels: { 'com.example.a': '1' } }).annotations, {
    'com.example.a': '1',
    'io.wherry.overlay.lower': '/l/top:/l/low',
    'io.wherry.overlay.upper': '/state/containers/web-0123456789/upper',
    'io.wherry.overlay.work': '/state/containers/web-0123456789/work',
    'io.wherry.net.bridge': 'wherry0',
    'io.wherry.net.gateway': '10.88.0.1/24',
    'io.wherry.net.address': '10.88.0.5/24',
  });
});

test('A label cannot name the layers that are mounted', (t) => {
  const error = t.throws(() => spec({ labels: { 'io.wherry.overlay.lower': '/' } }), {
    code: 'RUN_LABEL',
  });
  t.regex(error?.message ?? '', /io\.wherry\.overlay\.lower/);
});

test('Limits: memory with no swap beyond it, CPU as quota and period, processes', (t) => {
  const { resources } = spec({
    resources: { memoryMaxBytes: 48 * 1024 * 1024, cpuMaxMillis: 500, pidsMax: 64 },
  }).linux;
  t.deepEqual(resources.memory, { limit: 50_331_648, swap: 50_331_648 });
  t.deepEqual(resources.cpu, { quota: 50_000, period: 100_000 });
  t.deepEqual(resources.pids, { limit: 64 });
  const none = spec().linux.resources;
  t.is(none.memory, undefined);
  t.is(none.cpu, undefined);
  t.is(none.pids, undefined);
});

test('A very small share of CPU uses a longer period, since the kernel takes no quota below a millisecond', (t) => {
  t.deepEqual(cpuOf(10), { quota: 1000, period: 100_000 });
  t.deepEqual(cpuOf(1), { quota: 1000, period: 1_000_000 });
  t.deepEqual(cpuOf(9), { quota: 9000, period: 1_000_000 });
});

test('sysfs, cgroup and /proc/sys are read-only and kernel memory is hidden, but for a privileged container', (t) => {
  const made = spec();
  t.true(optionsAt(made, '/sys').includes('ro'));
  t.true(optionsAt(made, '/sys/fs/cgroup').includes('ro'));
  t.true(made.linux.maskedPaths.includes('/proc/kcore'));
  t.true(made.linux.maskedPaths.includes('/sys/firmware'));
  t.true(made.linux.readonlyPaths.includes('/proc/sys'));
  t.deepEqual(made.linux.devices, []);
  const open = spec({ privileged: true });
  t.true(optionsAt(open, '/sys').includes('rw'));
  t.deepEqual(open.linux.maskedPaths, []);
  t.deepEqual(open.linux.readonlyPaths, []);
  t.is(open.linux.seccomp, undefined);
  t.is(open.linux.devices.length, 1);
  t.false(open.process.noNewPrivileges);
  t.deepEqual(open.linux.resources.devices, [{ allow: true, access: 'rwm' }]);
});

test('The device rules begin by denying all and allow the standard nodes', (t) => {
  const rules = spec().linux.resources.devices;
  t.deepEqual(rules[0], { allow: false, access: 'rwm' });
  t.true(rules.some((rule) => rule.allow && rule.major === 1 && rule.minor === 3));
  t.false(rules.some((rule) => rule.allow && rule.major === undefined && rule.access !== 'm'));
});

test('Volumes, binds and tmpfs come behind the defaults, outer ones before inner ones', (t) => {
  const source = tempFolder(t);
  const made = spec(
    {
      mounts: [
        { type: 'tmpfs', target: '/data/deep/tmp', sizeMaxBytes: 65_536 },
        { type: 'bind', source, target: '/host', readOnly: true },
        { type: 'volume', source: 'v', target: '/data' },
      ],
    },
    [{ source: '/volumes/v/_data', target: '/data', readOnly: false }],
  );
  t.deepEqual(
    made.mounts.slice(-3).map((mount) => mount.destination),
    ['/data', '/host', '/data/deep/tmp'],
  );
  t.deepEqual(optionsAt(made, '/host'), ['rbind', 'rprivate', 'ro']);
  t.deepEqual(optionsAt(made, '/data'), ['rbind', 'rprivate', 'rw']);
  t.true(optionsAt(made, '/data/deep/tmp').includes('size=65536'));
  const etc = made.mounts.find((mount) => mount.destination === '/etc/hosts');
  t.is(etc?.source, '/state/containers/web-0123456789/etc/hosts');
});

test('A bind mount whose source is not there is refused with its path', (t) => {
  const source = join(tempFolder(t), 'none');
  const error = t.throws(() => spec({ mounts: [{ type: 'bind', source, target: '/x' }] }), {
    code: 'RUN_BIND',
  });
  t.true(error?.message.includes(source));
});

test('A bind mount from outside the allowed folders is refused, and the allowed ones are named to the runtime', (t) => {
  const source = tempFolder(t);
  const asked = { mounts: [{ type: 'bind' as const, source, target: '/x' }] };
  const error = t.throws(() => spec(asked, [], ['/srv', `${source}x`]), { code: 'RUN_BIND' });
  t.true(error?.message.includes(source));
  t.throws(() => spec(asked, [], []), { code: 'RUN_BIND' });
  const rootsOf = (roots: readonly string[]) =>
    spec(asked, [], roots).annotations['io.wherry.bind.roots'];
  t.is(rootsOf(['/srv', source]), `/srv:${source}`);
  t.is(rootsOf(['/', source]), undefined, 'every path is allowed: no link leads out');
});

test('A layer path with a colon is refused, since it would name two layers', (t) => {
  const parts = { ...aWorkload() };
  t.throws(
    () =>
      specOf({
        id: 'x',
        workload: parts,
        config: anImageConfig(),
        layers: ['/a:/etc'],
        user: { uid: 0, gid: 0, additionalGids: [], home: '/' },
        volumes: [],
        address: '10.88.0.5',
        bindRoots: [],
        layout: layoutOf('/s'),
        places,
        host: { capabilities: [], nofileMax: 1024, limits: { nofile: 20_000 }, oomScoreAdj: 0 },
        devices: [],
      }),
    { code: 'CONFIG_BAD' },
  );
});

test('The seccomp policy refuses by default, allows what programs need and no way out', (t) => {
  const filter = seccomp('amd64', defaultCapabilities);
  t.is(filter?.defaultAction, 'SCMP_ACT_ERRNO');
  t.deepEqual(filter?.architectures, ['SCMP_ARCH_X86_64']);
  const plain = new Set(
    filter.syscalls
      .filter((rule) => rule.action === 'SCMP_ACT_ALLOW' && rule.args === undefined)
      .flatMap((rule) => rule.names),
  );
  for (const name of ['openat', 'execve', 'futex', 'epoll_wait', 'arch_prctl', 'chroot']) {
    t.true(plain.has(name), name);
  }
  const closed = [
    'mount',
    'setns',
    'unshare',
    'bpf',
    'keyctl',
    'add_key',
    'kexec_load',
    'init_module',
  ];
  for (const name of [
    ...closed,
    'io_uring_setup',
    'open_by_handle_at',
    'reboot',
    'clone',
    'clone3',
  ]) {
    t.false(plain.has(name), name);
  }
  const clone3 = filter.syscalls.find((rule) => rule.names.includes('clone3'));
  t.deepEqual(clone3, { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 });
});

test('A capability opens the calls that belong to it', (t) => {
  const names = (caps: string[]): string[] =>
    seccomp('arm64', caps).syscalls[0]?.names.slice() ?? [];
  t.true(names(['CAP_SYS_ADMIN']).includes('mount'));
  t.true(names(['CAP_SYS_ADMIN']).includes('clone'));
  t.true(names(['CAP_SYS_TIME']).includes('clock_settime'));
  t.true(names([]).includes('set_tls'));
});

test('attack: an image of an architecture without a policy does not run unfiltered', (t) => {
  for (const architecture of ['mips', '', 'constructor', '__proto__']) {
    t.throws(() => seccomp(architecture, []), { code: 'RUN_SECCOMP' } as never);
  }
});

test('The probe is the workload’s, else the image’s with Docker’s defaults, and either can switch it off', (t) => {
  const image = {
    healthcheck: { test: ['CMD-SHELL', 'wget -q localhost'], intervalMs: 0, retries: 0 },
  };
  t.deepEqual(healthOf({}, image), {
    test: ['/bin/sh', '-c', 'wget -q localhost'],
    intervalMs: 30_000,
    timeoutMs: 30_000,
    retryCountMax: 3,
    startPeriodMs: 0,
    startIntervalMs: 5000,
  });
  const own = {
    test: ['/ok'],
    intervalMs: 1000,
    timeoutMs: 1000,
    retryCountMax: 2,
    startPeriodMs: 0,
    startIntervalMs: 500,
  };
  t.deepEqual(healthOf({ healthcheck: own }, image), own);
  t.is(healthOf({ healthcheck: { ...own, test: [] } }, image), null);
  t.is(healthOf({}, { healthcheck: { test: ['NONE'] } }), null);
  t.deepEqual(healthOf({}, { healthcheck: { test: ['CMD', '/a', 'b'] } })?.test, ['/a', 'b']);
  t.is(healthOf({}, {}), null);
});

test('A stop signal is read by name and by number', (t) => {
  t.is(stopSignalOf(undefined), 'SIGTERM');
  t.is(stopSignalOf('SIGQUIT'), 'SIGQUIT');
  t.is(stopSignalOf('quit'), 'SIGQUIT');
  t.is(stopSignalOf('3'), 'SIGQUIT');
  t.is(stopSignalOf('SIGRTMIN+3'), 'SIGRTMIN+3');
  t.is(stopSignalOf('NONSENSE'), 'SIGTERM');
  t.is(stopSignalOf('99'), 'SIGTERM');
});

test('A privileged container gets the device nodes of the host with their numbers', async (t) => {
  const devices = await hostDevices();
  const random = devices.find((device) => device.path === '/dev/random');
  t.like(random, { type: 'c', major: 1, minor: 8 });
  t.false(devices.some((device) => device.path.startsWith('/dev/pts/')));
});
