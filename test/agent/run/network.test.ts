// SPDX-License-Identifier: Apache-2.0
// Addresses, names and firewall rules as they follow from the containers.

import test from 'ava';
import { run } from '../../../adapters/exec.js';
import { placesOf } from '../../../adapters/places.js';
import { chooseAddress } from '../../../agent/run/address.js';
import { hostsText, type Named, peersOf, resolvText } from '../../../agent/run/names.js';
import { checkPorts, clashOf, nftProgram, rulesOf } from '../../../agent/run/network.js';
import { needs } from '../../kit/needs.js';

const places = placesOf('/');
const tcp = (published: number, target: number, hostIp?: string) => ({
  published,
  target,
  protocol: 'tcp' as const,
  ...(hostIp === undefined ? {} : { hostIp }),
});

test('An address follows from the id, is never the bridge’s, and is never given twice', (t) => {
  t.is(chooseAddress('10.88.0', 'web-1', new Set()), chooseAddress('10.88.0', 'web-1', new Set()));
  const taken = new Set<string>();
  for (let count = 0; count < 253; count += 1) {
    const address = chooseAddress('10.88.0', `web-${count}`, taken);
    t.false(taken.has(address));
    t.regex(address, /^10\.88\.0\.([2-9]|[1-9]\d|1\d\d|2[0-4]\d|25[0-4])$/);
    taken.add(address);
  }
  t.throws(() => chooseAddress('10.88.0', 'one more', taken), { code: 'RUN_ADDRESS' });
});

test('The rules: published ports in prerouting and output, by address and protocol', (t) => {
  const rules = rulesOf(places, [
    {
      id: 'web',
      address: '10.88.0.5',
      ports: [tcp(8080, 80), tcp(8081, 81, '127.0.0.1'), { ...tcp(53, 53), protocol: 'udp' }],
    },
  ]);
  t.regex(
    rules,
    /hook prerouting priority dstnat; policy accept;\n {4}ip daddr 127\.0\.0\.0\/8 return\n/,
  );
  const expected = [
    'fib daddr type local tcp dport 8080 dnat to 10.88.0.5:80',
    'fib daddr type local ip daddr 127.0.0.1 tcp dport 8081 dnat to 10.88.0.5:81',
    'fib daddr type local udp dport 53 dnat to 10.88.0.5:53',
  ];
  for (const rule of expected) t.is(rules.split(rule).length, 3, `${rule} is in two chains`);
  t.true(rules.includes('type nat hook output priority -100;'));
  t.true(rules.includes('ip saddr 10.88.0.0/24 oifname != "wherry0" masquerade'));
  t.true(rules.includes('iifname "wherry0" ip daddr 127.0.0.0/8 drop'));
  t.true(rules.startsWith('table ip wherry { }\ndelete table ip wherry\n'));
});

test('The same port of two running containers is a clash, unless addresses or protocols differ', (t) => {
  const one = { id: 'a', address: '10.88.0.2', ports: [tcp(80, 8080)] };
  const other = (ports: Parameters<typeof checkPorts>[0]) => ({
    id: 'b',
    address: '10.88.0.3',
    ports,
  });
  t.is(clashOf(other([tcp(80, 1)]), [one])?.id, 'a');
  t.is(clashOf(other([tcp(80, 1, '127.0.0.1')]), [one])?.id, 'a');
  t.is(clashOf(other([tcp(81, 1)]), [one]), undefined);
  t.is(clashOf(other([{ ...tcp(80, 1), protocol: 'udp' }]), [one]), undefined);
  t.is(clashOf(one, [one]), undefined);
  const bound = { ...one, ports: [tcp(80, 1, '10.0.0.1')] };
  t.is(clashOf(other([tcp(80, 1, '10.0.0.2')]), [bound]), undefined);
  t.is(clashOf(other([tcp(80, 1, '0.0.0.0')]), [bound])?.id, 'a');
});

test('A port on an IPv6 address is refused and not left out', (t) => {
  t.throws(() => checkPorts([tcp(80, 80, '::1')]), { code: 'RUN_PORT_HOST' });
  t.notThrows(() => checkPorts([tcp(80, 80, '127.0.0.1'), tcp(81, 81)]));
});

needs(['root', 'unshare'])('nft takes the rules, and the same again in their place', async (t) => {
  const net = { ...placesOf('/tmp/nft-check'), bridge: 'wh-check' };
  const ports = [tcp(8080, 80), tcp(81, 81, '127.0.0.1')];
  const rules = rulesOf(net, [{ id: 'web', address: `${net.subnet}.5`, ports }]);
  const script = '"$0" -f - && "$0" list ruleset';
  const twice = await run('unshare', ['--net', 'sh', '-c', script, nftProgram()], {
    input: rules + rules,
  });
  t.is(twice.code, 0, twice.stderr);
  t.true(twice.stdout.includes(`tcp dport 8080 dnat to ${net.subnet}.5:80`), twice.stdout);
  t.is(twice.stdout.split('dport 8080').length, 3, 'once in each of two chains');
});

const named = (changed: Partial<Named>): Named => ({
  id: 'x',
  name: 'x',
  release: 'r1',
  address: '10.88.0.9',
  running: true,
  createdAt: '2026-01-31T12:00:00.000Z',
  ...changed,
});

test('/etc/hosts has the names of the release, and of two containers of a name the running one', (t) => {
  const self = named({ id: 'web2', name: 'web', release: 'r2', address: '10.88.0.2' });
  const all = [
    self,
    named({ id: 'web1', name: 'web', address: '10.88.0.3', running: false }),
    named({ id: 'db1', name: 'db', address: '10.88.0.4' }), // untouched since r1
    named({ id: 'api1', name: 'api', address: '10.88.0.5', running: false }),
    named({ id: 'api2', name: 'api', release: 'r2', address: '10.88.0.6', running: false }),
    named({ id: 'old', name: 'old', address: '10.88.0.7', running: false }),
  ];
  t.deepEqual(
    [...peersOf(self, all)],
    [
      ['api', '10.88.0.6'],
      ['db', '10.88.0.4'],
      ['web', '10.88.0.2'],
    ],
  );
  t.true(hostsText(peersOf(self, all)).includes('10.88.0.4\tdb\n'));
});

test('resolv.conf is the device’s without its loopback servers', (t) => {
  t.is(
    resolvText(
      '# by somebody\nnameserver 127.0.0.53\nnameserver 192.0.2.1\nnameserver ::1\nsearch lan\n',
    ),
    'nameserver 192.0.2.1\nsearch lan\n',
  );
  t.is(resolvText('nameserver 127.0.0.1\n'), '');
});
