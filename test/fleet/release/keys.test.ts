// SPDX-License-Identifier: Apache-2.0
// The keys of a service that are taken, and what becomes of each. The specification's own schema takes the same,
// and a device takes the release.

import test from 'ava';
import { release } from '../../../protocol/release.js';
import { schemaFaults } from '../../kit/compose-schema.js';
import { read, textOf } from '../../kit/release-compose.js';

const goods: ReadonlyArray<readonly [lines: string, expected: object]> = [
  ['env_file: web.env\nenvironment: {B: own}', { environment: { A: '1', B: 'own' } }],
  [
    'env_file: [{path: gone.env, required: false}, web.env]',
    { environment: { A: '1', B: 'two words' } },
  ],
  ['network_mode: host', { networkMode: 'host' }],
  ['network_mode: none', { networkMode: 'none' }],
  ['network_mode: bridge', {}],
  [
    'devices: ["/dev/ttyUSB0", "/dev/i2c-1:/dev/i2c:rw", "/dev/serial/by-id/usb-A:r"]',
    {
      devices: [
        { source: '/dev/ttyUSB0', target: '/dev/ttyUSB0', permissions: 'rwm' },
        { source: '/dev/i2c-1', target: '/dev/i2c', permissions: 'rw' },
        { source: '/dev/serial/by-id/usb-A', target: '/dev/serial/by-id/usb-A', permissions: 'r' },
      ],
    },
  ],
  ['init: true', { init: true }],
  [
    'mem_limit: $SIZE\nmemswap_limit: 128m\nmem_reservation: 32m',
    {
      resources: {
        memoryMaxBytes: 67_108_864,
        memorySwapMaxBytes: 134_217_728,
        memoryReservationBytes: 33_554_432,
      },
    },
  ],
  ['memswap_limit: -1', { resources: { memorySwapMaxBytes: -1 } }],
  ['cpuset: "0-1"\ncpu_shares: 512', { resources: { cpuset: '0-1', cpuShares: 512 } }],
  ['oom_score_adj: -500', { resources: { oomScoreAdj: -500 } }],
  ['shm_size: 128m', { resources: { shmBytes: 134_217_728 } }],
  ['shm_size: 1048576', { resources: { shmBytes: 1_048_576 } }],
  [
    'ulimits: {nproc: 64, nofile: {soft: 100, hard: 200}, core: -1}',
    {
      ulimits: {
        nproc: { soft: 64, hard: 64 },
        nofile: { soft: 100, hard: 200 },
        core: { soft: -1, hard: -1 },
      },
    },
  ],
  ['sysctls: {net.core.somaxconn: 1024}', { sysctls: { 'net.core.somaxconn': '1024' } }],
  ['sysctls: [net.ipv4.tcp_syncookies=0]', { sysctls: { 'net.ipv4.tcp_syncookies': '0' } }],
  ['privileged: $ON', { privileged: true }],
  ['security_opt: [no-new-privileges:true]', { security: { noNewPrivileges: true } }],
  [
    'security_opt: ["seccomp=unconfined", "apparmor:unconfined"]',
    { security: { seccomp: 'unconfined' } },
  ],
  [
    'security_opt: ["seccomp:strict.json"]',
    {
      security: {
        seccomp: {
          defaultAction: 'SCMP_ACT_ERRNO',
          archMap: [{ architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86'] }],
          syscalls: [{ names: ['read'], action: 'SCMP_ACT_ALLOW' }],
        },
      },
    },
  ],
  ['group_add: [dialout, 44]', { groupAdd: ['dialout', '44'] }],
  ['hostname: box\ndomainname: example.org', { hostname: 'box', domainname: 'example.org' }],
  [
    'extra_hosts: ["a=10.0.0.1", "b:10.0.0.2", "me:host-gateway", "six=[::1]"]',
    {
      extraHosts: [
        { name: 'a', address: '10.0.0.1' },
        { name: 'b', address: '10.0.0.2' },
        { name: 'me', address: 'host-gateway' },
        { name: 'six', address: '::1' },
      ],
    },
  ],
  ['extra_hosts: {a: 10.0.0.1}', { extraHosts: [{ name: 'a', address: '10.0.0.1' }] }],
  [
    'dns: 9.9.9.9\ndns_search: [a.example, b.example]\ndns_opt: [ndots:1]',
    { dns: { servers: ['9.9.9.9'], search: ['a.example', 'b.example'], options: ['ndots:1'] } },
  ],
  ['dns_search: .', { dns: { search: [] } }],
  [
    'logging: {driver: json-file, options: {max-size: 64k, max-file: "2"}}',
    { logging: { driver: 'json-file', fileBytesMax: 65_536, fileCountMax: 2 } },
  ],
  ['logging: {driver: none}', { logging: { driver: 'none' } }],
  ['configs: [site]', { configs: [{ source: 'site', target: '/site' }] }],
  [
    'configs: [{source: site, target: /etc/site, uid: "33", gid: "33", mode: 0440}]',
    { configs: [{ source: 'site', target: '/etc/site', uid: 33, gid: 33, mode: 0o440 }] },
  ],
  ['networks: [back]', { networks: { back: {} } }],
  [
    'networks: {back: {aliases: [api], ipv4_address: 172.28.0.9}, default:}',
    { networks: { back: { aliases: ['api'], ipv4: '172.28.0.9' }, default: {} } },
  ],
  ['container_name: my_web', { networks: { default: { aliases: ['my_web'] } } }],
  ['stop_signal: quit', { stopSignal: 'SIGQUIT' }],
  ['platform: linux/arm/v7', { platform: 'linux/arm/v7' }],
  ['healthcheck: {interval: 5s}', { healthcheck: { intervalMs: 5000 } }],
  [
    'tty: false\nstdin_open: false\nexpose: ["80", 443]\npull_policy: always\nscale: 1\nipc: private',
    {},
  ],
  [
    'x-other: {a: 1}\nx-wherry: {schedule: "*/5 2-4 * * MON-fri"}',
    { schedule: { cron: '*/5 2-4 * * mon-fri' } },
  ],
  [
    'volumes: ["data:/d:ro,z", "shared:/s:nocopy", "/a:/b:rslave"]',
    {
      mounts: [
        { type: 'volume', source: 'data', target: '/d', readOnly: true },
        { type: 'volume', source: 'shared', target: '/s', noCopy: true },
        { type: 'bind', source: '/a', target: '/b', propagation: 'rslave' },
      ],
    },
  ],
  [
    'volumes: [{type: bind, source: /a, target: /b, bind: {create_host_path: true}}]',
    { mounts: [{ type: 'bind', source: '/a', target: '/b', createHostPath: true }] },
  ],
  [
    'tmpfs: "/run:size=1m,mode=755,uid=5"',
    { mounts: [{ type: 'tmpfs', target: '/run', sizeMaxBytes: 1_048_576, mode: 0o755, uid: 5 }] },
  ],
  [
    'environment:\n  NAME: "http://\u0024{WHERRY_DEVICE}/\u0024{WHERRY_VAR_SITE:-none}"\n  PLAIN: "\u0024\u0024{WHERRY_DEVICE}"',
    {
      environment: { PLAIN: '\u0024{WHERRY_DEVICE}' },
      environmentFrom: {
        NAME: [
          'http://',
          { variable: 'WHERRY_DEVICE' },
          '/',
          { variable: 'SITE', default: 'none', orEmpty: true },
        ],
      },
    },
  ],
  ['hostname: "\u0024WHERRY_DEVICE"', { hostnameFrom: [{ variable: 'WHERRY_DEVICE' }] }],
  ['labels: ["at=\u0024{WHERRY_VAR_SITE}"]', { labelsFrom: { at: [{ variable: 'SITE' }] } }],
  ['deploy: {replicas: 1, mode: replicated, update_config: {order: stop-first}}', {}],
];

for (const [lines, expected] of goods) {
  test(`taken: ${lines.replaceAll('\n', ' | ')}`, (t) => {
    const text = textOf(lines);
    // The schema knows octal numbers of YAML 1.1 as text only.
    t.deepEqual(schemaFaults(text.replace('mode: 0440', 'mode: "0440"')), []);
    const compose = read(text);
    const [draft] = compose.drafts;
    const { name, line, reference, restart, stopGraceMs, resources, ...rest } = draft ?? {};
    const own = Object.keys(resources ?? {}).length === 0 ? rest : { ...rest, resources };
    t.deepEqual(own as object, expected);
    const { gate, networks, volumes, configs } = compose;
    const { platform: _pinned, reference: written, line: _line, ...workload } = draft ?? {};
    const image = { reference: written, digest: `sha256:${'0'.repeat(64)}` };
    const document = {
      kind: 'release/v1',
      app: 'a',
      version: '1',
      counter: 1,
      createdAt: '2026-01-01T00:00:00Z',
      gate,
      workloads: [{ ...workload, image }],
      networks,
      volumes,
      configs,
    };
    t.notThrows(() => release(JSON.parse(JSON.stringify(document)), 'release'));
  });
}

test('networks, volumes and configs come into a release only where a service uses them', (t) => {
  const none = read(textOf('user: a'));
  t.deepEqual([none.networks, none.volumes, none.configs], [[], [], []]);
  const all = read(textOf('networks: [back]\nvolumes: ["shared:/s"]\nconfigs: [site]'));
  t.deepEqual(all.networks, [
    {
      name: 'back',
      driver: 'bridge',
      internal: true,
      subnets: [{ subnet: '172.28.0.0/24', gateway: '172.28.0.1' }],
    },
  ]);
  t.deepEqual(all.volumes, [
    { name: 'shared', nfs: { type: 'nfs', device: ':/srv', options: 'addr=10.0.0.9,ro' } },
  ]);
  t.deepEqual(all.configs, [{ name: 'site', content: 'hello' }]);
});
