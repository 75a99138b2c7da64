// SPDX-License-Identifier: Apache-2.0
// The keys of a service that are refused, with line and reason; and that every key of the specification's own
// schema is read or refused with a reason.

import test from 'ava';
import { knownKeys } from '../../../fleet/release/draft.js';
import { refusedService, refusedTop } from '../../../fleet/release/refused.js';
import { keysOf, topKeys } from '../../kit/compose-schema.js';
import { refusal, textOf } from '../../kit/release-compose.js';

/** The first line given is line 4. */
const bads: ReadonlyArray<readonly [lines: string, expected: RegExp]> = [
  [
    'env_file: gone.env',
    /^COMPOSE_FILE 4: services\.web\.env_file: the file gone\.env is not there/,
  ],
  [
    'network_mode: container:x',
    /^COMPOSE_VALUE 4: services\.web\.network_mode: must be service:NAME/,
  ],
  ['network_mode: service:db', /^COMPOSE_REFERENCE 2: services\.web: depends_on names db/],
  ['network_mode: host\nnetworks: [back]', /^COMPOSE_KEY 5: .*not together with network_mode/],
  ['networks: [front]', /^COMPOSE_REFERENCE 4: .*networks\[0\]: the network front is not under/],
  [
    'networks: {back: {ipv4_address: ::1}}',
    /^COMPOSE_VALUE 4: .*ipv4_address: must be an IPv4 address/,
  ],
  ['networks: {back: {mac_address: "02:00"}}', /^COMPOSE_REFUSED 4: .*mac_address/],
  ['devices: [ttyUSB0]', /^COMPOSE_VALUE 4: services\.web\.devices\[0\]: must be \/dev\/NAME/],
  ['devices: ["/dev/../etc/shadow"]', /^COMPOSE_VALUE 4: .*a path under \/dev/],
  ['devices: ["/dev/a:/b:x"]', /^COMPOSE_VALUE 4: .*letters of rwm/],
  ['init: please', /^COMPOSE_VALUE 4: services\.web\.init: must be true or false/],
  ['memswap_limit: 1g', /^COMPOSE_VALUE 4: .*memswap_limit: must be given with mem_limit/],
  [
    'mem_limit: 2g\nmemswap_limit: 1g',
    /^COMPOSE_VALUE 5: .*memswap_limit: must be at least mem_limit/,
  ],
  ['mem_limit: 64m\nmem_reservation: 65m', /^COMPOSE_VALUE 5: .*mem_reservation: must be at most/],
  ['cpuset: all', /^COMPOSE_VALUE 4: services\.web\.cpuset: must be CPUs by number/],
  ['cpu_shares: 1', /^COMPOSE_VALUE 4: .*cpu_shares: must be a whole number from 2/],
  ['oom_score_adj: 1001', /^COMPOSE_VALUE 4: .*from -1000 to 1000/],
  ['ulimits: {files: 5}', /^COMPOSE_VALUE 4: services\.web\.ulimits\.files: must be "as" or/],
  ['ulimits: {nofile: {soft: 9, hard: 5}}', /^COMPOSE_VALUE 4: .*a soft limit that is not above/],
  ['ulimits:\n  nofile: lots', /^COMPOSE_VALUE 5: services\.web\.ulimits\.nofile: must be a whole/],
  [
    'sysctls: {kernel.panic: 1}',
    /^COMPOSE_VALUE 4: services\.web\.sysctls\.kernel\.panic: must be a setting/,
  ],
  ['security_opt: [apparmor:mine]', /^COMPOSE_VALUE 4: .*there is no AppArmor/],
  [
    'security_opt: ["seccomp:bad.json"]',
    /^COMPOSE_FILE 4: .*bad\.json: profile\.defaultAction: must be/,
  ],
  ['security_opt: ["seccomp:gone.json"]', /^COMPOSE_FILE 4: .*the file gone\.json is not there/],
  ['hostname: "a b"', /^COMPOSE_VALUE 4: services\.web\.hostname: must be a host name/],
  ['extra_hosts: [a]', /^COMPOSE_VALUE 4: services\.web\.extra_hosts\[0\]: must be NAME=ADDRESS/],
  ['dns: dns.example', /^COMPOSE_VALUE 4: services\.web\.dns: must be IP addresses/],
  ['logging: {driver: syslog}', /^COMPOSE_REFUSED 4: .*driver: .*`wherry logs`/],
  ['logging: {options: {max-size: 1}}', /^COMPOSE_VALUE 4: .*max-size: must be a size like 10m/],
  [
    'logging: {options: {compress: "true"}}',
    /^COMPOSE_KEY 4: .*allowed here are max-size, max-file/,
  ],
  ['configs: [nope]', /^COMPOSE_REFERENCE 4: .*the config nope is not under the top-level configs/],
  ['configs: [{source: site, mode: 440}]', /^COMPOSE_VALUE 4: .*with the 0 in front/],
  ['secrets: [key]', /^COMPOSE_REFUSED 4: services\.web\.secrets: .*sealed/],
  ['stop_signal: SIGNOPE', /^COMPOSE_VALUE 4: .*stop_signal: must be a signal/],
  ['platform: linux', /^COMPOSE_VALUE 4: .*platform: must be OS\/ARCHITECTURE/],
  ['tty: true', /^COMPOSE_REFUSED 4: services\.web\.tty: .*wherry exec -it/],
  ['stdin_open: true', /^COMPOSE_REFUSED 4: services\.web\.stdin_open/],
  ['pull_policy: never', /^COMPOSE_REFUSED 4: .*pull_policy: .*by digest/],
  ['links: [db]', /^COMPOSE_REFUSED 4: services\.web\.links: .*aliases/],
  ['build: .', /^COMPOSE_REFUSED 4: services\.web\.build: .*push it/],
  ['pid: host', /^COMPOSE_REFUSED 4: services\.web\.pid/],
  ['scale: 3', /^COMPOSE_REFUSED 4: services\.web\.scale/],
  ['deploy: {placement: {}}', /^COMPOSE_REFUSED 4: .*placement: .*--selector/],
  ['deploy: {update_config: {order: start-first}}', /^COMPOSE_REFUSED 4: .*stop-first/],
  ['deploy: {resources: {reservations: {cpus: "1"}}}', /^COMPOSE_REFUSED 4: .*cpu_shares/],
  ['x-wherry: {schedule: "61 * * * *"}', /^COMPOSE_VALUE 4: .*schedule: must be a cron expression/],
  ['x-wherry: {scedule: x}', /^COMPOSE_KEY 4: .*unknown key; allowed here are schedule/],
  ['volumes: ["data:/d:huge"]', /^COMPOSE_VALUE 4: .*SOURCE:TARGET with ro/],
  [
    'volumes: [{type: bind, source: /a, target: /b, volume: {}}]',
    /^COMPOSE_KEY 4: .*only with type: volume/,
  ],
  [
    'user: "\u0024{NOBODY}"',
    /^COMPOSE_VARIABLE 4: services\.web\.user: the variable NOBODY has no value/,
  ],
  ['user: "\u0024{NOBODY?who}"', /^COMPOSE_VARIABLE 4: .*NOBODY has no value: who/],
  [
    'user: "\u0024WHERRY_DEVICE"',
    /^COMPOSE_VARIABLE 4: .*in environment, labels and hostname only/,
  ],
  [
    'hostname: "\u0024WHERRY_NAME"',
    /^COMPOSE_VARIABLE 4: .*is no variable of a device: those are WHERRY_DEVICE/,
  ],
];

for (const [lines, expected] of bads) {
  test(`refused: ${lines.replaceAll('\n', ' | ')}`, (t) => {
    t.regex(refusal(textOf(lines)), expected);
  });
}

test('every key that the specification knows for a service is read, or refused with a reason', (t) => {
  const answered = new Set([...knownKeys, ...Object.keys(refusedService), 'extends']);
  t.deepEqual(
    keysOf('service').filter((key) => !answered.has(key)),
    [],
  );
  for (const key of Object.keys(refusedService)) {
    const found = refusal(textOf(`${key}: x`));
    t.regex(
      found,
      new RegExp(`^COMPOSE_REFUSED 4: services\\.web\\.${key}: is not done on a device: `),
    );
  }
});

test('every key that the specification knows at the top is read, or refused with a reason', (t) => {
  for (const key of topKeys) {
    if (['name', 'version', 'services', 'volumes', 'networks', 'configs'].includes(key)) continue;
    t.true(Object.hasOwn(refusedTop, key), key);
    t.regex(
      refusal(`services: {w: {image: a}}\n${key}: x`),
      new RegExp(`^COMPOSE_REFUSED 2: ${key}: `),
    );
  }
});
