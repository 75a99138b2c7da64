// SPDX-License-Identifier: Apache-2.0
// What a device refuses to do at all, before it pulls or stops anything.

import test from 'ava';
import type { Policy } from '../../../agent/plan/observed.js';
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

const strict: Policy = { allowPrivileged: false, allowDevices: false, bindRoots: ['/srv/data'] };
const lax: Policy = { allowPrivileged: true, allowDevices: true, bindRoots: ['/'] };

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
    t.is(refusal?.message, `workload web asks for ${capability}, which this device forbids`);
    t.is(refusalOf(release, { ...strict, allowPrivileged: true }), undefined);
  });
}

test('A capability that reaches no further than the container needs no permission', (t) => {
  const capAdd = ['CAP_NET_ADMIN', 'CAP_SYS_NICE', 'CAP_IPC_LOCK', 'CAP_CHOWN'];
  t.is(refusalOf(aRelease({ workloads: [aWorkload({ capAdd })] }), strict), undefined);
});

test('The device’s own policy can allow what is refused by default', (t) => {
  const workload = aWorkload({ privileged: true, capAdd: ['CAP_MKNOD'], ...bind('/etc') });
  t.is(refusalOf(aRelease({ workloads: [workload] }), lax), undefined);
  t.is(refusalOf(aRelease({ workloads: [aWorkload(bind('/srv/data/x'))] }), strict), undefined);
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
