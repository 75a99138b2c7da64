// SPDX-License-Identifier: Apache-2.0
// For tests: a device's network namespace joined to a neighbour's, an agent in it, and what both can ask for.

import { existsSync, readdirSync, rmdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import { run, type Started, start } from '../../adapters/exec.js';
import { nativeProgram } from '../../adapters/places.js';

export const deviceAddress = '192.0.2.1';
const neighbourAddress = '192.0.2.2';

export interface Net {
  readonly device: string;
  readonly neighbour: string;
}

let netCount = 0;

/** Two namespaces and a veth between them; gone after the test. */
export async function aNet(t: ExecutionContext): Promise<Net> {
  netCount += 1;
  const tag = `${process.pid}-${netCount}`;
  const net: Net = { device: `wh-d-${tag}`, neighbour: `wh-n-${tag}` };
  t.teardown(async () => {
    for (const name of [net.device, net.neighbour]) await run('ip', ['netns', 'del', name]);
  });
  const ip = async (...args: string[]): Promise<void> => {
    const done = await run('ip', args);
    if (done.code !== 0) throw new Error(`ip ${args.join(' ')}: ${done.stderr}`);
  };
  await ip('netns', 'add', net.device);
  await ip('netns', 'add', net.neighbour);
  await ip(
    '-n',
    net.device,
    'link',
    'add',
    'eth0',
    'type',
    'veth',
    'peer',
    'name',
    'eth0',
    'netns',
    net.neighbour,
  );
  for (const [name, address] of [
    [net.device, deviceAddress],
    [net.neighbour, neighbourAddress],
  ] as const) {
    await ip('-n', name, 'link', 'set', 'lo', 'up');
    await ip('-n', name, 'addr', 'add', `${address}/24`, 'dev', 'eth0');
    await ip('-n', name, 'link', 'set', 'eth0', 'up');
  }
  return net;
}

export function inNet(name: string, program: string, args: readonly string[]): string[] {
  return [`--net=/run/netns/${name}`, program, ...args];
}

const getPage = `require('node:http').get(process.argv[1], { timeout: 2000 }, (response) => response.pipe(process.stdout))
  .on('timeout', () => process.exit(1)).on('error', () => process.exit(1))`;

/** The body of http://host:port/ as seen from a namespace, or undefined where nobody answers. */
export async function httpFrom(
  name: string,
  host: string,
  port: number,
): Promise<string | undefined> {
  return httpIn(`/run/netns/${name}`, host, port);
}

export async function httpIn(
  namespace: string,
  host: string,
  port: number,
): Promise<string | undefined> {
  const args = [`--net=${namespace}`, process.execPath, '-e', getPage, `http://${host}:${port}/`];
  const done = await run('nsenter', args, { timeoutMs: 10_000 });
  return done.code === 0 ? done.stdout.trim() : undefined;
}

export interface Agent {
  call<T>(name: string, argument?: unknown): Promise<T>;
  kill(): Promise<void>;
}

/** Starts the agent program of tests for a root in a namespace; killed after the test. */
export async function anAgent(
  t: ExecutionContext,
  net: Net,
  root: string,
  bindRoots: readonly string[] = [],
): Promise<Agent> {
  const program = fileURLToPath(new URL('./box-agent.js', import.meta.url));
  const child: Started = start(
    'nsenter',
    inNet(net.device, process.execPath, [program, root, ...bindRoots]),
  );
  child.stderr.pipe(process.stderr);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async (): Promise<Record<string, unknown>> => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error('the agent ended');
    return JSON.parse(value as string) as Record<string, unknown>;
  };
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await child.ended;
  };
  t.teardown(kill);
  await answer();
  return {
    kill,
    call: async <T>(name: string, argument: unknown = null) => {
      child.stdin.write(`${JSON.stringify({ call: name, argument })}\n`);
      const said = await answer();
      if ('code' in said)
        throw Object.assign(new Error(String(said['message'])), { code: said['code'] });
      return said['value'] as T;
    },
  };
}

/** Why the real thing cannot run here, or undefined. */
export function lackingForReal(): string | undefined {
  if (process.getuid?.() !== 0) return 'root';
  for (const name of ['wherry-run', 'wherry-keep'] as const) {
    try {
      nativeProgram(name);
    } catch {
      return name;
    }
  }
  return undefined;
}

/** Cgroup folders below a parent, which must be gone at the end. */
export function cgroupsOf(parent: string): string[] {
  return readdirSync('/sys/fs/cgroup').flatMap((controller) => {
    const path = `/sys/fs/cgroup/${controller}${parent}`;
    return existsSync(path) ? [path] : [];
  });
}

/** The parents themselves are left for the next container; a test takes them away when they are empty. */
export function removeCgroups(parent: string): void {
  for (const path of cgroupsOf(parent)) rmdirSync(path);
}
