// SPDX-License-Identifier: Apache-2.0
// The firewall rules of our containers: one table of ours, made whole in one nft transaction from the
// containers that run. Addresses are stable, so the rules hold while the agent is away. No rule of anybody
// else is read or touched; a host process that has a published port keeps it for its own listening only.

import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import { errnoOf } from '../../adapters/durable.js';
import { run } from '../../adapters/exec.js';
import type { Places } from '../../adapters/places.js';
import { CodedError } from '../../protocol/error.js';
import type { Port } from '../../protocol/network.js';

const nftTimeoutMs = 10_000;

export interface Published {
  readonly id: string;
  readonly address: string;
  readonly ports: readonly Port[];
}

/** The container whose running ports clash with `wanted`, and the port. */
export function clashOf(
  wanted: Published,
  running: readonly Published[],
): { id: string; port: Port } | undefined {
  for (const other of running) {
    if (other.id === wanted.id) continue;
    const port = wanted.ports.find((mine) => other.ports.some((theirs) => overlaps(mine, theirs)));
    if (port !== undefined) return { id: other.id, port };
  }
  return undefined;
}

function overlaps(a: Port, b: Port): boolean {
  if (a.published !== b.published || a.protocol !== b.protocol) return false;
  return isAny(a.hostIp) || isAny(b.hostIp) || a.hostIp === b.hostIp;
}

function isAny(hostIp: string | undefined): boolean {
  return hostIp === undefined || hostIp === '0.0.0.0';
}

/** @throws RUN_PORT_HOST */
export function checkPorts(ports: readonly Port[]): void {
  for (const { hostIp, published } of ports) {
    if (hostIp === undefined || isIPv4(hostIp)) continue;
    throw new CodedError('RUN_PORT_HOST', `port ${published} is published on ${hostIp}`, {
      hostIp,
      published,
    });
  }
}

type Net = Pick<Places, 'nftTable' | 'bridge' | 'subnet'>;

/**
 * The script that replaces the table. Chains: `raw` keeps containers from the device's own loopback, which
 * route_localnet would open; `pre` and `out` send published ports on; `post` hides containers behind the
 * device; `forward` lets in only what was published or asked for. `pre` leaves 127/8 alone: a neighbour may
 * route it to us, and once translated the kernel no longer sees that it came from outside.
 */
export function rulesOf(net: Net, running: readonly Published[]): string {
  const dnat = running.flatMap((container) =>
    container.ports.map((port) => `    ${dnatRule(port, container.address)}`),
  );
  const bridge = `"${net.bridge}"`;
  const subnet = `${net.subnet}.0/24`;
  return [
    ...removal(net),
    `table ip ${net.nftTable} {`,
    '  chain raw {',
    '    type filter hook prerouting priority raw; policy accept;',
    `    iifname ${bridge} ip daddr 127.0.0.0/8 drop`,
    '  }',
    '  chain pre {',
    '    type nat hook prerouting priority dstnat; policy accept;',
    '    ip daddr 127.0.0.0/8 return',
    ...dnat,
    '  }',
    '  chain out {',
    '    type nat hook output priority -100; policy accept;',
    ...dnat,
    '  }',
    '  chain post {',
    '    type nat hook postrouting priority srcnat; policy accept;',
    `    ip saddr 127.0.0.0/8 oifname ${bridge} masquerade`,
    `    ip saddr ${subnet} ip daddr ${subnet} ct status dnat masquerade`,
    `    ip saddr ${subnet} oifname != ${bridge} masquerade`,
    '  }',
    '  chain forward {',
    '    type filter hook forward priority filter; policy accept;',
    `    iifname ${bridge} accept`,
    `    oifname ${bridge} ct status dnat accept`,
    `    oifname ${bridge} ct state established,related accept`,
    `    oifname ${bridge} drop`,
    '  }',
    '}',
    '',
  ].join('\n');
}

function dnatRule(port: Port, address: string): string {
  const where = isAny(port.hostIp) ? '' : `ip daddr ${port.hostIp} `;
  return `fib daddr type local ${where}${port.protocol} dport ${port.published} dnat to ${address}:${port.target}`;
}

/** Declaring the table first makes its deletion succeed where there is none. */
function removal(net: Net): string[] {
  return [`table ip ${net.nftTable} { }`, `delete table ip ${net.nftTable}`];
}

/** @throws RUN_NETWORK */
export async function applyRules(net: Net, running: readonly Published[]): Promise<void> {
  await nft(rulesOf(net, running));
}

/** @throws RUN_NETWORK */
export async function removeRules(net: Net): Promise<void> {
  await nft(`${removal(net).join('\n')}\n`);
}

/** Never by PATH alone: under npm a package's tool of the same name would come first. */
export function nftProgram(): string {
  const folders = ['/usr/sbin', '/sbin', '/usr/local/sbin', '/usr/bin'];
  return folders.map((folder) => `${folder}/nft`).find((path) => existsSync(path)) ?? 'nft';
}

async function nft(script: string): Promise<void> {
  let failure: unknown;
  try {
    const finished = await run(nftProgram(), ['-f', '-'], {
      input: script,
      timeoutMs: nftTimeoutMs,
    });
    if (finished.code === 0) return;
    failure = new Error(finished.stderr.trim().slice(0, 512));
  } catch (error) {
    failure = error;
  }
  const what = failure instanceof Error ? failure.message : String(failure);
  throw new CodedError('RUN_NETWORK', `nft: ${what}`, {}, { cause: failure });
}

/**
 * Lets the kernel forward, and lets a connection to 127.0.0.1 reach a container. The second is set on our
 * bridge only, which must be there. @throws RUN_NETWORK
 */
export async function allowForwarding(net: Net): Promise<void> {
  await setSysctl('/proc/sys/net/ipv4/ip_forward');
  await setSysctl(`/proc/sys/net/ipv4/conf/${net.bridge}/route_localnet`);
}

async function setSysctl(path: string): Promise<void> {
  try {
    if ((await readFile(path, 'utf8')).trim() === '1') return;
    await writeFile(path, '1');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return; // no bridge yet: nothing is linked, nothing to forward
    throw new CodedError('RUN_NETWORK', `${path} cannot be set to 1`, { path }, { cause: error });
  }
}
