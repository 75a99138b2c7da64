// SPDX-License-Identifier: Apache-2.0
// What is decided on the way from a workload's keys to its container: limits, seccomp profiles, health checks,
// names, log files.

import test from 'ava';
import { placesOf } from '../../../adapters/places.js';
import type { Host } from '../../../agent/run/host.js';
import { keepPlanOf } from '../../../agent/run/keeper.js';
import { layoutOf } from '../../../agent/run/layout.js';
import { oomScoreOf, rlimitsOf } from '../../../agent/run/limits.js';
import { textsOf } from '../../../agent/run/names.js';
import { healthOf } from '../../../agent/run/probe.js';
import { seccompOf } from '../../../agent/run/seccomp.js';
import { defaultCapabilities } from '../../../protocol/capability.js';
import type { SeccompProfile } from '../../../protocol/isolation.js';
import type { Workload } from '../../../protocol/release.js';
import { aWorkload, digestOf } from '../../kit/box-container.js';

const places = placesOf('/');
const host: Host = {
  capabilities: defaultCapabilities,
  nofileMax: 20_000,
  limits: { nofile: 20_000, nproc: 100, core: Infinity },
  oomScoreAdj: 0,
};

test('A limit beyond the agent’s own is refused by name, unless the agent may raise it', (t) => {
  const limits = (ulimits: NonNullable<Workload['ulimits']>, changed: Partial<Host> = {}) =>
    rlimitsOf({ name: 'web', ulimits }, { ...host, ...changed });
  const error = t.throws(() => limits({ nproc: { soft: 50, hard: 101 } }), { code: 'RUN_LIMIT' });
  t.regex(error?.message ?? '', /^workload web: ulimit nproc is to be 101, .* is 100$/);
  t.throws(() => limits({ nproc: { soft: -1, hard: -1 } }), { code: 'RUN_LIMIT' });
  const free = { capabilities: ['CAP_SYS_RESOURCE'] };
  t.is(limits({ nproc: { soft: 1, hard: 101 } }, free)[1]?.hard, 101);
  t.throws(() => limits({ nofile: { soft: 1, hard: 20_001 } }, free), { code: 'RUN_LIMIT' });
  t.is(limits({ nofile: { soft: -1, hard: -1 } })[0]?.hard, 20_000, 'no limit is the agent’s own');
});

test('An OOM score below the agent’s own is refused, unless the agent may lower it', (t) => {
  const score = (oomScoreAdj: number, changed: Partial<Host> = {}) =>
    oomScoreOf(aWorkload({ resources: { oomScoreAdj } }), { ...host, ...changed });
  t.is(score(100), 100);
  t.throws(() => score(-1), { code: 'RUN_LIMIT' });
  t.is(score(-1, { capabilities: ['CAP_SYS_RESOURCE'] }), -1);
  t.is(score(-1, { oomScoreAdj: -900 }), -1);
});

const profile: SeccompProfile = {
  defaultAction: 'SCMP_ACT_ERRNO',
  defaultErrnoRet: 38,
  archMap: [
    { architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86'] },
    { architecture: 'SCMP_ARCH_AARCH64', subArchitectures: ['SCMP_ARCH_ARM'] },
  ],
  syscalls: [
    { names: ['read'], action: 'SCMP_ACT_ALLOW' },
    { names: ['mount'], action: 'SCMP_ACT_ALLOW', includes: { caps: ['CAP_SYS_ADMIN'] } },
    { names: ['clone'], action: 'SCMP_ACT_ALLOW', excludes: { caps: ['CAP_SYS_ADMIN'] } },
    { names: ['ptrace'], action: 'SCMP_ACT_ALLOW', includes: { minKernel: '4.8' } },
    { names: ['future'], action: 'SCMP_ACT_ALLOW', includes: { minKernel: '99.0' } },
    { names: ['set_tls'], action: 'SCMP_ACT_ALLOW', includes: { arches: ['arm', 'arm64'] } },
    { names: ['modify_ldt'], action: 'SCMP_ACT_ALLOW', excludes: { arches: ['arm64'] } },
    {
      names: ['personality'],
      action: 'SCMP_ACT_ALLOW',
      args: [{ index: 0, value: 8, op: 'SCMP_CMP_EQ' }],
    },
  ],
};

test('A profile in Docker’s form is decided by architecture, capabilities and kernel', (t) => {
  const names = (architecture: string, capabilities: readonly string[], kernel = '4.10.1') =>
    seccompOf(profile, { architecture, capabilities, kernel })?.syscalls.flatMap(
      (rule) => rule.names,
    );
  t.deepEqual(names('amd64', []), ['read', 'clone', 'ptrace', 'modify_ldt', 'personality']);
  t.deepEqual(names('arm64', ['CAP_SYS_ADMIN']), [
    'read',
    'mount',
    'ptrace',
    'set_tls',
    'personality',
  ]);
  t.deepEqual(names('amd64', [], '4.7'), ['read', 'clone', 'modify_ldt', 'personality']);
  t.true(names('amd64', [], '6.1')?.includes('ptrace'), 'a later major is later');
  t.false(names('amd64', [], '3.19')?.includes('ptrace'));
  const made = seccompOf(profile, { architecture: 'arm64', capabilities: [], kernel: '6.1' });
  t.deepEqual(made?.architectures, ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM']);
  t.is(made?.defaultErrnoRet, 38);
  t.false(JSON.stringify(made).includes('includes'));
  t.throws(() => seccompOf(profile, { architecture: 'mips', capabilities: [], kernel: '6.1' }), {
    code: 'RUN_SECCOMP',
  });
});

test('A health check without a test takes the image’s, field by field', (t) => {
  const image = { healthcheck: { test: ['CMD', '/check'], intervalMs: 7000, retries: 9 } };
  t.like(healthOf({ healthcheck: { timeoutMs: 500 } }, image), {
    test: ['/check'],
    intervalMs: 7000,
    timeoutMs: 500,
    retryCountMax: 9,
  });
  t.is(healthOf({ healthcheck: { intervalMs: 500 } }, {}), null);
});

const device = {
  gateway: '10.88.0.1',
  hosts: '127.0.0.1\tthe-device\n',
  resolv: 'nameserver 1.1.1.1\nsearch lan\n',
};

test('Names: extra hosts, the device by its gateway, own host name, resolvers in place of the device’s', (t) => {
  const own = { address: '10.88.0.5', peers: new Map([['web', '10.88.0.5']]) };
  const texts = textsOf(
    aWorkload({
      hostname: 'box',
      extraHosts: [
        { name: 'db', address: '10.1.1.1' },
        { name: 'me', address: 'host-gateway' },
      ],
      dns: { servers: ['9.9.9.9'], options: ['ndots:1'] },
    }),
    own,
    device,
  );
  t.true(
    texts.hosts.endsWith('10.88.0.5\tweb\n10.88.0.5\tbox\n10.1.1.1\tdb\n10.88.0.1\tme\n'),
    texts.hosts,
  );
  t.is(texts.hostname, 'box\n');
  t.is(texts.resolv, 'nameserver 9.9.9.9\noptions ndots:1\nsearch lan\n');
  t.is(textsOf(aWorkload({ dns: { search: [] } }), own, device).resolv, 'nameserver 1.1.1.1\n');
});

test('Names in the device’s network are the device’s, and the gateway is the device itself', (t) => {
  const own = { address: null, peers: new Map() };
  const workload = aWorkload({
    networkMode: 'host',
    extraHosts: [{ name: 'me', address: 'host-gateway' }],
  });
  t.is(textsOf(workload, own, device).hosts, '127.0.0.1\tthe-device\n127.0.0.1\tme\n');
});

test('Logging bounds the keeper’s files; none keeps the last words in memory', (t) => {
  const log = (logging?: Workload['logging']) => {
    const workload = aWorkload(logging === undefined ? {} : { logging });
    return keepPlanOf(places, layoutOf('/state/c'), {
      id: 'web-0',
      spec: digestOf('s'),
      release: digestOf('r'),
      image: digestOf('i'),
      workload,
      address: null,
      stopSignal: 'SIGTERM',
      health: null,
      createdAt: '2026-01-01T00:00:00Z',
    }).log;
  };
  t.deepEqual(log({ driver: 'local', fileBytesMax: 8192, fileCountMax: 1 }), {
    dir: '/state/c/logs',
    fileBytesMax: 8192,
    fileCountMax: 1,
  });
  t.deepEqual(log({ driver: 'none' }), {
    dir: '/run/wherry/keep/web-0/log',
    fileBytesMax: 4096,
    fileCountMax: 1,
  });
  t.deepEqual(log(), { dir: '/state/c/logs', fileBytesMax: 1_048_576, fileCountMax: 3 });
});
