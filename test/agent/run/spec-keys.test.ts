// SPDX-License-Identifier: Apache-2.0
// Each key of a workload and what becomes of it in config.json: the parts that differ from those of a workload
// without it, whole.

import test from 'ava';
import { placesOf } from '../../../adapters/places.js';
import type { Host } from '../../../agent/run/host.js';
import { layoutOf } from '../../../agent/run/layout.js';
import type { OciSpec } from '../../../agent/run/oci.js';
import { type SpecParts, specOf } from '../../../agent/run/spec.js';
import { defaultCapabilities } from '../../../protocol/capability.js';
import type { Workload } from '../../../protocol/release.js';
import { anImageConfig, aWorkload } from '../../kit/box-container.js';

const places = placesOf('/');
const host: Host = {
  capabilities: defaultCapabilities,
  nofileMax: 20_000,
  limits: { nofile: 20_000, nproc: 100, core: Infinity },
  oomScoreAdj: 0,
};

function spec(changed: Partial<Workload>, parts: Partial<SpecParts> = {}): OciSpec {
  return specOf({
    id: 'web-0123456789',
    workload: aWorkload(changed),
    config: anImageConfig({ architecture: 'amd64' }),
    layers: ['/l/top'],
    user: { uid: 0, gid: 0, additionalGids: [], home: '/root' },
    volumes: [],
    address: '10.88.0.5',
    bindRoots: ['/'],
    layout: layoutOf('/state/containers/web-0123456789'),
    places,
    host,
    devices: [],
    ...parts,
  });
}

/** Path → value of everything in `after` that `before` has not so; lists of mounts and rules as what was added. */
function differences(before: unknown, after: unknown, path = ''): Record<string, unknown> {
  if (JSON.stringify(before) === JSON.stringify(after)) return {};
  if (Array.isArray(before) && Array.isArray(after)) {
    const known = new Set(before.map((one) => JSON.stringify(one)));
    const added = after.filter((one) => !known.has(JSON.stringify(one)));
    return { [path]: added.length > 0 ? added : after };
  }
  if (!isObject(before) || !isObject(after)) return { [path]: after };
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return Object.assign(
    {},
    ...keys.map((key) =>
      differences(before[key], after[key], path === '' ? key : `${path}.${key}`),
    ),
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const goldens: ReadonlyArray<
  readonly [what: string, changed: Partial<Workload>, parts: Partial<SpecParts>, expected: object]
> = [
  [
    'init',
    { init: true },
    { init: '/usr/lib/wherry/wherry-init' },
    {
      'process.args': ['/dev/wherry-init', '--'],
      mounts: [
        {
          destination: '/dev/wherry-init',
          type: 'bind',
          source: '/usr/lib/wherry/wherry-init',
          options: ['rbind', 'rprivate', 'ro'],
        },
      ],
    },
  ],
  [
    'memory, swap, reservation',
    {
      resources: {
        memoryMaxBytes: 1_048_576,
        memorySwapMaxBytes: 2_097_152,
        memoryReservationBytes: 524_288,
      },
    },
    {},
    { 'linux.resources.memory': { limit: 1_048_576, swap: 2_097_152, reservation: 524_288 } },
  ],
  [
    'swap without end',
    { resources: { memoryMaxBytes: 1_048_576, memorySwapMaxBytes: -1 } },
    {},
    {
      'linux.resources.memory': { limit: 1_048_576, swap: -1 },
    },
  ],
  [
    'CPU set and weight',
    { resources: { cpuset: '0-1', cpuShares: 512 } },
    {},
    {
      'linux.resources.cpu': { shares: 512, cpus: '0-1' },
    },
  ],
  ['OOM score', { resources: { oomScoreAdj: 500 } }, {}, { 'process.oomScoreAdj': 500 }],
  [
    'shared memory',
    { resources: { shmBytes: 1_048_576 } },
    {},
    {
      mounts: [
        {
          destination: '/dev/shm',
          type: 'tmpfs',
          source: 'shm',
          options: ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=1048576'],
        },
      ],
    },
  ],
  [
    'ulimits',
    { ulimits: { nofile: { soft: 10, hard: 20 }, core: { soft: 0, hard: -1 } } },
    {},
    {
      'process.rlimits': [
        { type: 'RLIMIT_NOFILE', soft: 10, hard: 20 },
        { type: 'RLIMIT_CORE', soft: 0, hard: Number.MAX_SAFE_INTEGER },
      ],
    },
  ],
  [
    'sysctls',
    { sysctls: { 'net.core.somaxconn': '9' } },
    {},
    {
      'linux.sysctl.net.core.somaxconn': '9',
    },
  ],
  [
    'a device',
    { devices: [] },
    {
      asked: [
        {
          device: {
            path: '/dev/mine',
            type: 'c',
            major: 188,
            minor: 3,
            fileMode: 0o660,
            uid: 0,
            gid: 20,
          },
          access: 'rw',
        },
      ],
    },
    {
      'linux.devices': [
        { path: '/dev/mine', type: 'c', major: 188, minor: 3, fileMode: 0o660, uid: 0, gid: 20 },
      ],
      'linux.resources.devices': [{ allow: true, type: 'c', major: 188, minor: 3, access: 'rw' }],
    },
  ],
  [
    'no new privileges',
    { security: { noNewPrivileges: true } },
    {},
    { 'process.noNewPrivileges': true },
  ],
  ['no seccomp', { security: { seccomp: 'unconfined' } }, {}, { 'linux.seccomp': undefined }],
  [
    'host name',
    { hostname: 'box', domainname: 'example.org' },
    {},
    {
      hostname: 'box',
      domainname: 'example.org',
      'process.env': ['HOSTNAME=box'],
    },
  ],
  [
    'no network',
    { networkMode: 'none' },
    { address: null },
    {
      'annotations.io.wherry.net.bridge': undefined,
      'annotations.io.wherry.net.gateway': undefined,
      'annotations.io.wherry.net.address': undefined,
    },
  ],
  [
    'another one’s network',
    { networkMode: 'service:db' },
    { address: null, netPath: '/proc/7/ns/net' },
    {
      'linux.namespaces': [{ type: 'network', path: '/proc/7/ns/net' }],
      'linux.sysctl.net.ipv4.ip_unprivileged_port_start': undefined,
      'linux.sysctl.net.ipv4.ping_group_range': undefined,
      'annotations.io.wherry.net.bridge': undefined,
      'annotations.io.wherry.net.gateway': undefined,
      'annotations.io.wherry.net.address': undefined,
    },
  ],
  [
    'a config file',
    {},
    { files: [{ source: '/state/configs/0', target: '/etc/x' }] },
    {
      mounts: [
        {
          destination: '/etc/x',
          type: 'bind',
          source: '/state/configs/0',
          options: ['rbind', 'rprivate', 'ro'],
        },
      ],
    },
  ],
  [
    'tmpfs with mode and owner',
    {
      mounts: [{ type: 'tmpfs', target: '/t', mode: 0o755, uid: 5, gid: 6, sizeMaxBytes: 8192 }],
    },
    {},
    {
      mounts: [
        {
          destination: '/t',
          type: 'tmpfs',
          source: 'tmpfs',
          options: ['nosuid', 'nodev', 'noexec', 'rw', 'mode=755', 'uid=5', 'gid=6', 'size=8192'],
        },
      ],
    },
  ],
  [
    'a bind that takes in what is mounted later',
    {
      mounts: [{ type: 'bind', source: '/', target: '/host', propagation: 'rslave' }],
    },
    {},
    {
      mounts: [
        { destination: '/host', type: 'bind', source: '/', options: ['rbind', 'rslave', 'rw'] },
      ],
    },
  ],
];

for (const [what, changed, parts, expected] of goldens) {
  test(`config.json: ${what}`, (t) => {
    t.deepEqual(differences(spec({}), spec(changed, parts)), expected as Record<string, unknown>);
  });
}

test('In the device’s network there is no network namespace, no link and no setting of one', (t) => {
  const made = spec({ networkMode: 'host' }, { address: null });
  t.false(made.linux.namespaces.some(({ type }) => type === 'network'));
  t.deepEqual(made.linux.sysctl, {});
  t.false(Object.keys(made.annotations).some((key) => key.startsWith('io.wherry.net')));
});
