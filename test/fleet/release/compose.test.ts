// SPDX-License-Identifier: Apache-2.0
// Compose files that are read, and Compose files that are refused: each refusal names file, line and key.

import test from 'ava';
import { readCompose } from '../../../fleet/release/compose.js';
import { knownKeys } from '../../../fleet/release/draft.js';
import { CodedError } from '../../../protocol/error.js';

function read(text: string): ReturnType<typeof readCompose> {
  return readCompose(text, 'compose.yaml');
}

/** The one service of the text, without name, line and reference. */
function service(lines: string): Record<string, unknown> {
  const indented = lines.replace(/^/gm, '    ');
  const { drafts } = read(
    `services:\n  web:\n    image: reg/web:v1\n${indented}\nvolumes:\n  data:\n`,
  );
  const [draft] = drafts;
  const { name, line, reference, restart, stopGraceMs, resources, ...rest } = draft ?? {};
  return {
    ...rest,
    ...(restart?.policy === 'no' ? {} : { restart }),
    ...(stopGraceMs === 10_000 ? {} : { stopGraceMs }),
    ...(Object.keys(resources ?? {}).length === 0 ? {} : { resources }),
  };
}

/** `CODE line: message` of the refusal. */
function refusal(text: string): string {
  try {
    read(text);
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    return `${error.code} ${error.message.replace('compose.yaml:', '')}`;
  }
  return 'accepted';
}

test('a whole file becomes drafts with all that Compose says by default', (t) => {
  const compose = read(`
name: shop
x-wherry: {gate: {bake: 5s, deadline: 1m30s}}
services:
  web:
    image: localhost:5000/web:v1
    mem_limit: 32m
  cache:
    image: redis
    depends_on: [web]
`);
  t.deepEqual(compose, {
    name: 'shop',
    gate: { bakeMs: 5000, deadlineMs: 90_000 },
    drafts: [
      {
        name: 'web',
        reference: 'localhost:5000/web:v1',
        line: 6,
        restart: { policy: 'no', retryCountMax: 0 },
        stopGraceMs: 10_000,
        resources: { memoryMaxBytes: 32 * 1024 * 1024 },
      },
      {
        name: 'cache',
        reference: 'redis',
        line: 9,
        restart: { policy: 'no', retryCountMax: 0 },
        stopGraceMs: 10_000,
        resources: {},
        dependsOn: { web: 'service_started' },
      },
    ],
    networks: [],
    volumes: [],
    configs: [],
    notes: [],
  });
});

const goods: ReadonlyArray<readonly [title: string, lines: string, expected: object]> = [
  [
    'a command as one string is split as a shell quotes it, and runs in no shell',
    `command: sh -c 'echo "a  b" && exit 1' it\\ is "q\\"x" ''`,
    { command: ['sh', '-c', 'echo "a  b" && exit 1', 'it is', 'q"x', ''] },
  ],
  [
    'an empty command and entrypoint mean none',
    `command: ''\nentrypoint: []`,
    { command: [], entrypoint: [] },
  ],
  [
    'environment as a map keeps numbers and booleans as they are written',
    'environment:\n  A: 1.10\n  B: "x"\n  C: true\n  D: $$HOME',
    { environment: { A: '1.10', B: 'x', C: 'true', D: '$HOME' } },
  ],
  [
    'environment as a list',
    'environment: [A=1, "B=x=y", C=]',
    { environment: { A: '1', B: 'x=y', C: '' } },
  ],
  [
    'short ports: address, range, udp, IPv6',
    'ports: ["8080:80", "127.0.0.1:53:5353/udp", "9000-9001:9000-9001", "[::1]:81:80"]',
    {
      ports: [
        { published: 8080, target: 80, protocol: 'tcp' },
        { hostIp: '127.0.0.1', published: 53, target: 5353, protocol: 'udp' },
        { published: 9000, target: 9000, protocol: 'tcp' },
        { published: 9001, target: 9001, protocol: 'tcp' },
        { hostIp: '::1', published: 81, target: 80, protocol: 'tcp' },
      ],
    },
  ],
  [
    'long ports',
    'ports:\n- target: 80\n  published: "8080"\n  protocol: udp\n  host_ip: 10.0.0.1',
    { ports: [{ hostIp: '10.0.0.1', published: 8080, target: 80, protocol: 'udp' }] },
  ],
  [
    'volumes: named, bind, read only, tmpfs, long and short',
    'volumes:\n- data:/data\n- /etc/x:/x:ro\n- {type: tmpfs, target: /t, tmpfs: {size: 1m}}\n' +
      '- {type: bind, source: /srv, target: /srv, read_only: true}\ntmpfs: [/run, "/tmp:size=64k"]',
    {
      mounts: [
        { type: 'volume', source: 'data', target: '/data' },
        { type: 'bind', source: '/etc/x', target: '/x', readOnly: true },
        { type: 'tmpfs', target: '/t', sizeMaxBytes: 1_048_576 },
        { type: 'bind', source: '/srv', target: '/srv', readOnly: true },
        { type: 'tmpfs', target: '/run' },
        { type: 'tmpfs', target: '/tmp', sizeMaxBytes: 65_536 },
      ],
    },
  ],
  [
    'a health check in the shell form, and nothing that is not given',
    'healthcheck: {test: wget -q localhost, interval: 1m30s, retries: 5}',
    {
      healthcheck: {
        test: ['/bin/sh', '-c', 'wget -q localhost'],
        intervalMs: 90_000,
        retryCountMax: 5,
      },
    },
  ],
  [
    'limits the long way, and the short way saying the same',
    'cpus: 0.50\ndeploy: {resources: {limits: {cpus: "0.5", memory: 64M, pids: 20}}}',
    { resources: { cpuMaxMillis: 500, memoryMaxBytes: 67_108_864, pidsMax: 20 } },
  ],
  [
    'restart with a count, grace, user, flags, capabilities and labels',
    'restart: on-failure:3\nstop_grace_period: 1.5s\nuser: 1000:1000\nworking_dir: /srv\nread_only: true\n' +
      'privileged: true\ncap_add: [net_admin]\ncap_drop: [ALL]\nlabels: [a=b, c]',
    {
      restart: { policy: 'on-failure', retryCountMax: 3 },
      stopGraceMs: 1500,
      user: '1000:1000',
      workingDir: '/srv',
      readOnly: true,
      privileged: true,
      capAdd: ['CAP_NET_ADMIN'],
      capDrop: ['ALL'],
      labels: { a: 'b', c: '' },
    },
  ],
];

for (const [title, lines, expected] of goods) {
  test(`read: ${title}`, (t) => {
    t.deepEqual(service(lines), expected);
  });
}

test('health checks: CMD, CMD-SHELL, NONE and disable', (t) => {
  const argv = (lines: string): unknown =>
    (service(lines)['healthcheck'] as { test: string[] }).test;
  t.deepEqual(argv('healthcheck: {test: [CMD, /p, "-x"]}'), ['/p', '-x']);
  t.deepEqual(argv('healthcheck: {test: [CMD-SHELL, "a || b"]}'), ['/bin/sh', '-c', 'a || b']);
  t.deepEqual(argv('healthcheck: {test: [NONE]}'), []);
  t.deepEqual(argv('healthcheck: {disable: true}'), []);
});

test('anchors and merge keys work, own keys win, and an error inside names the line it is written in', (t) => {
  const { drafts } = read(`
x-base: &base
  image: base
  restart: always
services:
  a: {<<: *base, image: other}
  b: *base
`);
  t.deepEqual(
    drafts.map(({ name, reference, restart }) => [name, reference, restart.policy]),
    [
      ['a', 'other', 'always'],
      ['b', 'base', 'always'],
    ],
  );
  t.is(
    refusal('x-base: &base\n  image: b\n  restrat: always\nservices:\n  a:\n    <<: *base\n'),
    `COMPOSE_KEY 3: services.a.restrat: unknown key; allowed here are ${knownKeys.join(', ')}`,
  );
});

test('what Compose ignores becomes a note, and so does a likely secret, without its value', (t) => {
  const { notes } = read(`
version: "3.8"
services:
  web:
    image: web
    environment: {DB_PASSWORD: hunter2, TOKEN_FILE: /run/x, URL: "amqp://u:geheim@host/", N: 1}
`);
  t.is(notes.length, 3);
  t.regex(notes[0] ?? '', /^compose\.yaml:2: version has no meaning/);
  t.regex(
    notes[1] ?? '',
    /^compose\.yaml:4: services\.web\.environment\.DB_PASSWORD looks like a secret/,
  );
  t.regex(notes[2] ?? '', /environment\.URL looks like a secret/);
  t.notRegex(notes.join(), /hunter2|geheim/);
});

/** Below `services: web: image: web`, so the first line given is line 4. */
const bads: ReadonlyArray<readonly [lines: string, expected: RegExp]> = [
  ['network: [a]', /^COMPOSE_KEY 4: services\.web\.network: unknown key; allowed here are image, /],
  [
    'healthcheck:\n  tset: x',
    /^COMPOSE_KEY 5: services\.web\.healthcheck\.tset: unknown key; allowed/,
  ],
  [
    'deploy: {replicas: 2}',
    /^COMPOSE_REFUSED 4: services\.web\.deploy\.replicas: .*a device runs each workload once/,
  ],
  [
    'command: "a \'b"',
    /^COMPOSE_VALUE 4: services\.web\.command: must be a command with its quotes closed/,
  ],
  ['command: [a, [b]]', /^COMPOSE_VALUE 4: services\.web\.command\[1\]: must be a string/],
  [
    'command: echo $HOME',
    /^COMPOSE_VARIABLE 4: services\.web\.command: the variable HOME has no value/,
  ],
  [
    'environment: [HOME]',
    /^COMPOSE_VALUE 4: services\.web\.environment\[0\]: must be given a value: HOME=/,
  ],
  [
    'environment:\n  A: 1\n  B:',
    /^COMPOSE_VALUE 6: services\.web\.environment\.B: must be given a value/,
  ],
  ['environment: [A=1, A=2]', /^COMPOSE_VALUE 4: services\.web\.environment: .*A is there twice/],
  ['ports: ["80"]', /^COMPOSE_VALUE 4: services\.web\.ports\[0\]: .*80:80, not 80 alone/],
  ['ports: ["0:80"]', /^COMPOSE_VALUE 4: .*ports\[0\]: .*from 1 to 65535/],
  ['ports: ["1-3:1-2"]', /^COMPOSE_VALUE 4: .*two ranges of the same length/],
  ['ports: ["999.0.0.1:80:80"]', /^COMPOSE_VALUE 4: .*an IP address/],
  ['ports: ["80:80/sctp"]', /^COMPOSE_VALUE 4: .*tcp or udp/],
  ['ports:\n- "80:80"\n- "80:81"', /^COMPOSE_VALUE 4: .*80\/tcp is published twice/],
  [
    'volumes: ["./x:/x"]',
    /^COMPOSE_VALUE 4: services\.web\.volumes\[0\]: .*an absolute path of the device/,
  ],
  ['volumes: [/x]', /^COMPOSE_VALUE 4: .*a volume needs a name/],
  [
    'volumes: ["gone:/x"]',
    /^COMPOSE_REFERENCE 4: .*the volume gone is not under the top-level volumes/,
  ],
  ['volumes: ["/a:/b/../../etc"]', /^COMPOSE_VALUE 4: .*an absolute path without \. or \.\./],
  ['tmpfs: "/t:huge=always"', /^COMPOSE_VALUE 4: services\.web\.tmpfs: .*size=64m/],
  ['tmpfs: [/t, /t]', /^COMPOSE_VALUE 4: .*two mounts are at \/t/],
  [
    'healthcheck: {test: [a, b]}',
    /^COMPOSE_VALUE 4: services\.web\.healthcheck\.test: .*CMD-SHELL/,
  ],
  [
    'healthcheck: {test: a, interval: 5}',
    /^COMPOSE_VALUE 4: .*interval: must be a duration like 30s/,
  ],
  ['restart: sometimes', /^COMPOSE_VALUE 4: services\.web\.restart: must be "no", always/],
  ['restart: always:3', /^COMPOSE_VALUE 4: services\.web\.restart/],
  ['mem_limit: lots', /^COMPOSE_VALUE 4: services\.web\.mem_limit: must be a size like 64m/],
  [
    'mem_limit: 1k',
    /^COMPOSE_VALUE 4: services\.web\.mem_limit: must be a whole number from 131072/,
  ],
  ['cpus: -1', /^COMPOSE_VALUE 4: services\.web\.cpus: must be a number of CPUs/],
  ['pids_limit: 0', /^COMPOSE_VALUE 4: services\.web\.pids_limit: must be a whole number from 1 /],
  [
    'mem_limit: 1m\ndeploy: {resources: {limits: {memory: 2m}}}',
    /^COMPOSE_VALUE 5: .*the same as services\.web\.mem_limit in line 4/,
  ],
  ['read_only: "yes"', /^COMPOSE_VALUE 4: services\.web\.read_only: must be true or false/],
  [
    'cap_add: [a b]',
    /^COMPOSE_VALUE 4: services\.web\.cap_add\[0\]: must be ALL or like NET_ADMIN/,
  ],
  ['depends_on: [db]', /^COMPOSE_REFERENCE 2: services\.web: depends_on names db/],
  ['depends_on: [web]', /^COMPOSE_REFERENCE 2: services\.web: waits in a ring: web/],
  [
    'depends_on: {web: {condition: soon}}',
    /^COMPOSE_VALUE 4: .*condition: must be service_started, /,
  ],
  ['working_dir: srv', /^COMPOSE_VALUE 4: services\.web\.working_dir: must be an absolute path/],
  ['labels: {"a b": c}', /^COMPOSE_VALUE 4: services\.web\.labels: must be letters/],
  ['image: again', /^COMPOSE_FILE 4: .*unique/],
];

for (const [lines, expected] of bads) {
  test(`refused: ${lines.replaceAll('\n', ' | ')}`, (t) => {
    const indented = lines.replace(/^/gm, '    ');
    t.regex(refusal(`services:\n  web:\n    image: web\n${indented}\n`), expected);
  });
}

test('refused: what is wrong at the top', (t) => {
  t.regex(refusal('services: {}'), /^COMPOSE_VALUE 1: services: must be a map of at least one/);
  t.regex(refusal('name: x'), /^COMPOSE_KEY 1: misses the key services/);
  t.regex(refusal('a: [1'), /^COMPOSE_FILE \d: /);
  t.regex(
    refusal('services:\n  Web: {image: a}'),
    /^COMPOSE_VALUE 2: services\.Web: must be lower-case/,
  );
  t.regex(refusal('services:\n  web: {}'), /^COMPOSE_KEY 2: services\.web: misses the key image/);
  t.regex(
    refusal('services:\n  w: {image: "A B"}'),
    /^COMPOSE_VALUE 2: services\.w\.image: .*image reference/,
  );
  t.regex(
    refusal('secrets: {}\nservices: {w: {image: a}}'),
    /^COMPOSE_REFUSED 1: secrets: is not done on a device: .*sealed/,
  );
  t.regex(
    refusal('services: {w: {image: a}}\nvolumes:\n  d:\n    driver: nfs'),
    /^COMPOSE_REFUSED 4: volumes\.d\.driver: .*write local/,
  );
  t.regex(
    refusal('services: {w: {image: a}}\nx-wherry: {gate: {bake: 1s, deadline: 1ms}}'),
    /^COMPOSE_VALUE 2: x-wherry\.gate\.deadline: must be a duration from/,
  );
  t.regex(
    refusal('services:\n  a: {image: a, ports: ["1:1"]}\n  b: {image: b, ports: ["1:2"]}'),
    /^COMPOSE_VALUE 1: services: .*a and b both publish 1\/tcp/,
  );
});

test('attack: aliases that multiply end as an error with a line, not as a full memory', (t) => {
  const lines = ['x-a0: &a0 [1,1,1,1,1,1,1,1,1,1]'];
  for (let n = 1; n < 10; n += 1) {
    lines.push(
      `x-a${n}: &a${n} [${Array(10)
        .fill(`*a${n - 1}`)
        .join(',')}]`,
    );
  }
  t.regex(refusal(lines.join('\n')), /^COMPOSE_FILE \d+: (more than 20000 values|Excessive alias)/);
});

test('attack: an unknown tag, a deep tree and a huge file are refused', (t) => {
  t.regex(refusal('services: {w: {image: !!js/function a}}'), /^COMPOSE_FILE 1: /);
  t.regex(refusal(`a: ${'['.repeat(100)}${']'.repeat(100)}`), /^COMPOSE_FILE 1: nested deeper/);
  t.regex(refusal(`a: ${'x'.repeat(300_000)}`), /^COMPOSE_FILE 1: the file is longer/);
});
