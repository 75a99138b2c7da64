// SPDX-License-Identifier: Apache-2.0
// A whole Wherry in namespaces: a fleet server and devices, each a real wherryd with its own root, cgroup
// parent and network. The demo, the lab, the fault suite and the bench all run in one of these.

import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { placesOf } from '../../../adapters/places.js';
import { darken, pidFile, sweep } from './guard.js';
import { fleetAddress, makeSite, type Site } from './net.js';
import { type Daemon, type Output, runIn, runProgram, startProgram } from './program.js';

export const httpsPort = 8443;
export const registryHost = `${fleetAddress}:${httpsPort}`;

export interface Fleet {
  readonly root: string;
  /** `args` of serve are remembered for the next start. */
  start(args?: readonly string[]): Promise<void>;
  stop(): Promise<void>;
  /** Runs wherry-fleet as the operator; throws where it fails, unless `mayFail`. */
  cli(
    args: readonly string[],
    options?: { mayFail?: boolean; timeoutMs?: number },
  ): Promise<Output>;
  json<T>(args: readonly string[]): Promise<T>;
  output(): string;
}

export interface Device {
  readonly name: string;
  readonly root: string;
  readonly address: string;
  readonly netns: string;
  readonly cgroupParent: string;
  enrol(code: string): Promise<void>;
  /** Trusts a registry's own authority: certs.d/HOST/ca.crt, as Docker keeps it. */
  trustRegistry(host: string, ca: string): Promise<void>;
  start(): Promise<void>;
  /** SIGKILL, as a crash would. */
  kill(): Promise<void>;
  stop(): Promise<void>;
  /** All processes of the device at once, and its runtime folder: what a power cut leaves is the state. */
  powerOff(): Promise<void>;
  pid(): number;
  cli(args: readonly string[], options?: { mayFail?: boolean }): Promise<Output>;
  json<T>(args: readonly string[]): Promise<T>;
  output(): string;
}

export interface World {
  readonly root: string;
  readonly tag: string;
  readonly site: Site;
  readonly fleet: Fleet;
  device(name: string): Promise<Device>;
  image(args: readonly string[]): Promise<Output>;
  dispose(): Promise<void>;
}

/** `label` ≤ 5 characters: the sockets below the root must stay under 108 bytes. */
export async function openWorld(label: string): Promise<World> {
  const root = mkdtempSync(join(tmpdir(), `w-${label}-`));
  writeFileSync(join(root, pidFile), String(process.pid));
  const tag = `w${label}${process.pid}`;
  try {
    const site = await makeSite(tag);
    return {
      root,
      tag,
      site,
      fleet: fleetOf(join(root, 'fleet'), site),
      device: async (name) => deviceOf(name, join(root, name), await site.addHost(name)),
      image: (args) => expectOk('wherry-image', args, { netns: site.netns, timeoutMs: 300_000 }),
      dispose: () => sweep(root, tag),
    };
  } catch (error) {
    await sweep(root, tag);
    throw error;
  }
}

function fleetOf(root: string, site: Site): Fleet {
  mkdirSync(root, { recursive: true });
  const logFile = join(root, 'fleet.log');
  let daemon: Daemon | undefined;
  let serveArgs: readonly string[] = [];
  const cli: Fleet['cli'] = (args, options = {}) =>
    expectOk('wherry-fleet', [...args, '--root', root], { netns: site.netns, ...options });
  return {
    root,
    start: async (args = serveArgs) => {
      serveArgs = args;
      const own = ['--root', root, '--https-port', String(httpsPort), '--name', fleetAddress];
      daemon = startProgram('wherry-fleet', ['serve', ...own, ...args], {
        netns: site.netns,
        logFile,
      });
      await daemon.waitFor(/wherry-fleet ready/, 30_000);
    },
    stop: async () => daemon?.kill('SIGTERM'),
    cli,
    json: async <T>(args: readonly string[]) =>
      JSON.parse((await cli([...args, '--json'])).stdout) as T,
    output: () => readFileSync(logFile, 'utf8'),
  };
}

function deviceOf(name: string, root: string, host: { netns: string; address: string }): Device {
  mkdirSync(root, { recursive: true });
  const logFile = join(root, 'wherryd.log');
  writeFileSync(logFile, '');
  let daemon: Daemon | undefined;
  const cli: Device['cli'] = (args, options = {}) =>
    expectOk('wherry', ['--root', root, ...args], { netns: host.netns, ...options });
  return {
    name,
    root,
    ...host,
    cgroupParent: placesOf(root).cgroupParent,
    enrol: async (code) => {
      await expectOk('wherry-provision', ['enrol', code, '--root', root, '--name', name], {
        netns: host.netns,
      });
    },
    trustRegistry: async (registry, ca) => {
      const folder = join(placesOf(root).config, 'certs.d', registry);
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, 'ca.crt'), ca);
    },
    start: async () => {
      daemon = startProgram('wherryd', ['--root', root], { netns: host.netns, logFile });
      await daemon.waitFor(/wherryd ready/);
    },
    kill: async () => daemon?.kill('SIGKILL'),
    stop: async () => daemon?.kill('SIGTERM'),
    powerOff: () => darken(root),
    pid: () => daemon?.pid ?? 0,
    cli,
    json: async <T>(args: readonly string[]) =>
      JSON.parse((await cli([...args, '--json'])).stdout) as T,
    output: () => readFileSync(logFile, 'utf8'),
  };
}

async function expectOk(
  name: Parameters<typeof runProgram>[0],
  args: readonly string[],
  options: { netns?: string; mayFail?: boolean; timeoutMs?: number },
): Promise<Output> {
  const output = await runProgram(name, args, options);
  if (output.code !== 0 && options.mayFail !== true) {
    throw new Error(
      `${name} ${args.join(' ')} ended with ${output.code}:\n${output.stderr}${output.stdout}`,
    );
  }
  return output;
}

/** One HTTP GET from inside a network namespace; undefined where nobody answers. */
export async function httpGet(
  netns: string,
  url: string,
  timeoutMs = 2000,
): Promise<string | undefined> {
  const output = await runIn(netns, [
    process.execPath,
    '-e',
    `require('http').get(${JSON.stringify(url)}, {timeout: ${timeoutMs}}, (r) => { let t = ''; r.on('data', (d) => { t += d; }); r.on('end', () => { process.stdout.write(t); process.exit(r.statusCode === 200 ? 0 : 1); }); }).on('error', () => process.exit(1)).on('timeout', () => process.exit(1));`,
  ]);
  return output.code === 0 ? output.stdout : undefined;
}
