// SPDX-License-Identifier: Apache-2.0
// What a device refuses to do at all, before it pulls or stops anything.

import test from 'ava';
import { type Policy, strictPolicy } from '../../../agent/plan/observed.js';
import { plan } from '../../../agent/plan/plan.js';
import { refusalOf } from '../../../agent/plan/refusal.js';
import type { Workload } from '../../../protocol/release.js';
import {
  aContainer,
  anObserved,
  aRelease,
  aWorkload,
  held,
  imagesOf,
  releaseDigest,
} from '../../kit/agent-docs.js';

const strict: Policy = { ...strictPolicy, bindRoots: ['/srv/data'] };
const lax: Policy = {
  allowPrivileged: true,
  allowDevices: true,
  bindRoots: ['/'],
  allowHostNetwork: true,
  allowCapabilities: [],
  allowSysctls: true,
  allowSeccomp: true,
};

const bind = (source: string): Partial<Workload> => ({
  mounts: [{ type: 'bind', source, target: '/data' }],
});

for (const [what, workloads, code] of [
  [
    'a circle of dependencies',
    [
      aWorkload({ name: 'a', dependsOn: { b: 'service_started' } }),
      aWorkload({ name: 'b', dependsOn: { a: 'service_healthy' } }),
    ],
    'PLAN_CYCLE',
  ],
  [
    'a workload that depends on itself',
    [aWorkload({ name: 'a', dependsOn: { a: 'service_started' } })],
    'PLAN_CYCLE',
  ],
  [
    'a dependency that is not there',
    [aWorkload({ dependsOn: { db: 'service_started' } })],
    'PLAN_DEPENDENCY',
  ],
  [
    'one port published twice',
    [
      aWorkload({
        name: 'a',
        ports: [{ published: 80, target: 80, protocol: 'tcp', hostIp: '10.0.0.1' }],
      }),
      aWorkload({ name: 'b', ports: [{ published: 80, target: 8080, protocol: 'tcp' }] }),
    ],
    'PLAN_PORTS',
  ],
  ['two workloads of one name', [aWorkload(), aWorkload({ tag: 'v2' })], 'PLAN_NAMES'],
  ['privileged', [aWorkload({ privileged: true })], 'POLICY_PRIVILEGED'],
  [
    'a capability that is root by another name',
    [aWorkload({ capAdd: ['CAP_SYS_ADMIN'] })],
    'POLICY_PRIVILEGED',
  ],
  ['raw access to devices', [aWorkload({ capAdd: ['CAP_SYS_RAWIO'] })], 'POLICY_DEVICES'],
  ['a bind outside the allowed folders', [aWorkload(bind('/etc'))], 'POLICY_BIND'],
  ['a bind beside an allowed folder', [aWorkload(bind('/srv/database'))], 'POLICY_BIND'],
  ['a bind that climbs out with ..', [aWorkload(bind('/srv/data/../../etc'))], 'PLAN_MOUNT'],
  ['the device’s network', [aWorkload({ networkMode: 'host' })], 'POLICY_NETWORK'],
  [
    'a device',
    [aWorkload({ devices: [{ source: '/dev/a', target: '/dev/a', permissions: 'rw' }] })],
    'POLICY_DEVICES',
  ],
  [
    'a capability beside Docker’s own',
    [aWorkload({ capAdd: ['CAP_NET_ADMIN'] })],
    'POLICY_CAPABILITY',
  ],
  ['kernel settings', [aWorkload({ sysctls: { 'net.core.somaxconn': '1' } })], 'POLICY_SYSCTL'],
  ['no seccomp', [aWorkload({ security: { seccomp: 'unconfined' } })], 'POLICY_SECCOMP'],
  [
    'seccomp of its own',
    [aWorkload({ security: { seccomp: { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [] } } })],
    'POLICY_SECCOMP',
  ],
  ['a network that is not there', [aWorkload({ networks: { back: {} } })], 'PLAN_NETWORK'],
  [
    'networks in no network',
    [aWorkload({ networkMode: 'none', networks: { default: {} } })],
    'PLAN_NETWORK',
  ],
  [
    'ports without a network of its own',
    [
      aWorkload({
        networkMode: 'none',
        ports: [{ published: 80, target: 80, protocol: 'tcp' }],
      }),
    ],
    'PLAN_NETWORK',
  ],
  [
    'a shared network of a workload that is not there',
    [aWorkload({ networkMode: 'service:db' })],
    'PLAN_NETWORK',
  ],
  [
    'a shared network of one that it does not start after',
    [aWorkload({ name: 'db' }), aWorkload({ networkMode: 'service:db' })],
    'PLAN_NETWORK',
  ],
  [
    'a config that is not there',
    [aWorkload({ configs: [{ source: 'c', target: '/c' }] })],
    'PLAN_CONFIG',
  ],
  [
    'a variable that the device lacks',
    [aWorkload({ environmentFrom: { A: [{ variable: 'X' }] } })],
    'PLAN_VARIABLE',
  ],
  [
    'a volume whose name is a path',
    [aWorkload({ mounts: [{ type: 'volume', source: '../x', target: '/data' }] })],
    'PLAN_MOUNT',
  ],
] as const) {
  test(`A release with ${what} is refused: ${code}`, (t) => {
    const release = aRelease({ workloads: [...workloads] });
    t.is(refusalOf(release, strict)?.code, code);
  });
}

for (const capability of [
  'ALL',
  'CAP_SYS_ADMIN',
  'CAP_SYS_MODULE',
  'CAP_DAC_READ_SEARCH', // open_by_handle_at reads every file of the host
  'CAP_SYS_PTRACE',
  'CAP_SYS_BOOT',
  'CAP_SYS_TIME',
  'CAP_SYSLOG',
  'CAP_BPF',
  'CAP_PERFMON',
  'CAP_CHECKPOINT_RESTORE',
  'CAP_MAC_ADMIN',
  'CAP_LINUX_IMMUTABLE',
  'CAP_SYS_RESOURCE',
  'CAP_OF_A_LATER_KERNEL',
]) {
  test(`A release that takes the device by ${capability} is refused, with workload and capability`, (t) => {
    const release = aRelease({ workloads: [aWorkload({ capAdd: ['CAP_NET_ADMIN', capability] })] });
    const refusal = refusalOf(release, strict);
    t.is(refusal?.code, 'POLICY_PRIVILEGED');
    t.is(
      refusal?.message,
      `workload web asks for cap_add ${capability}, which this device forbids`,
    );
    t.is(refusalOf(release, { ...strict, allowPrivileged: true }), undefined);
  });
}

test('A capability that reaches no further than the container is given where the policy lists it', (t) => {
  const allowCapabilities = ['CAP_NET_ADMIN', 'CAP_SYS_NICE', 'CAP_IPC_LOCK'];
  const release = aRelease({
    workloads: [aWorkload({ capAdd: [...allowCapabilities, 'CAP_CHOWN'] })],
  });
  t.is(refusalOf(release, strict)?.code, 'POLICY_CAPABILITY');
  t.is(refusalOf(release, { ...strict, allowCapabilities }), undefined);
});

test('A list of capabilities gives what it names, but never the whole device', (t) => {
  const asks = (capability: string) =>
    aRelease({ workloads: [aWorkload({ capAdd: [capability] })] });
  const listed = { ...strict, allowCapabilities: ['CAP_SYS_TIME', 'CAP_SYS_ADMIN'] };
  t.is(refusalOf(asks('CAP_SYS_TIME'), listed), undefined);
  t.is(refusalOf(asks('CAP_SYS_ADMIN'), listed)?.code, 'POLICY_PRIVILEGED');
});

test('The device’s own policy can allow what is refused by default', (t) => {
  const workload = aWorkload({ privileged: true, capAdd: ['CAP_MKNOD'], ...bind('/etc') });
  t.is(refusalOf(aRelease({ workloads: [workload] }), lax), undefined);
  t.is(refusalOf(aRelease({ workloads: [aWorkload(bind('/srv/data/x'))] }), strict), undefined);
});

test('Each right can be allowed by itself, safe capabilities need nobody’s word, and a refusal names the key', (t) => {
  const strong = aWorkload({
    capAdd: ['CAP_NET_ADMIN', 'CAP_CHOWN'],
    sysctls: { 'kernel.msgmax': '1' },
    security: { seccomp: 'unconfined', noNewPrivileges: true },
    devices: [{ source: '/dev/ttyUSB0', target: '/dev/a', permissions: 'rw' }],
  });
  const of = (policy: Policy): string | undefined =>
    refusalOf(aRelease({ workloads: [strong] }), policy)?.message;
  const grants: ReadonlyArray<readonly [Partial<Policy>, RegExp]> = [
    [{}, /^workload web asks for devices \/dev\/ttyUSB0, which this device forbids$/],
    [{ allowDevices: true }, /cap_add CAP_NET_ADMIN/],
    [{ allowCapabilities: ['CAP_NET_ADMIN'] }, /sysctls kernel\.msgmax/],
    [{ allowSysctls: true }, /security_opt seccomp unconfined/],
  ];
  let policy = strict;
  for (const [grant, message] of grants) {
    policy = { ...policy, ...grant };
    t.regex(of(policy) ?? '', message);
  }
  t.is(of({ ...policy, allowSeccomp: true }), undefined);
  const safe = aWorkload({ capAdd: ['CAP_CHOWN', 'CAP_NET_BIND_SERVICE'] });
  t.is(refusalOf(aRelease({ workloads: [safe] }), strict), undefined);
});

test('The same port on two addresses, or of two protocols, is not twice', (t) => {
  const port = { published: 53, target: 53 } as const;
  const release = aRelease({
    workloads: [
      aWorkload({ name: 'a', ports: [{ ...port, protocol: 'tcp', hostIp: '10.0.0.1' }] }),
      aWorkload({ name: 'b', ports: [{ ...port, protocol: 'tcp', hostIp: '10.0.0.2' }] }),
      aWorkload({ name: 'c', ports: [{ ...port, protocol: 'udp' }] }),
    ],
  });
  t.is(refusalOf(release, strict), undefined);
});

test('A refused release touches nothing, and one that runs is not stopped by a stricter policy', (t) => {
  const web = aWorkload({ privileged: true });
  const release = aRelease({ workloads: [web] });
  const digest = releaseDigest(release);
  const observed = anObserved({
    desired: { generation: 1, release: digest },
    releases: [held(release)],
    images: imagesOf(release),
  });
  t.deepEqual(
    plan(observed).map(({ kind }) => kind),
    ['refuse'],
  );
  t.deepEqual(plan({ ...observed, good: digest, containers: [aContainer(web)] }), []);
});
