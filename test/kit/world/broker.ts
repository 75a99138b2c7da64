// SPDX-License-Identifier: Apache-2.0
// Other people's brokers in the site's namespace, each started with what `wherry-provision broker-config` wrote
// and nothing else, as an operator would.

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fleetAddress } from './net.js';
import { commandLine, runIn, until } from './program.js';
import type { World } from './world.js';

export type BrokerKind = 'mosquitto' | 'nats' | 'rabbitmq';

export interface OutsideBroker {
  readonly url: string;
  readonly folder: string;
  start(): Promise<void>;
  /** SIGKILL, and all that it had stored is gone. */
  wipe(): Promise<void>;
  log(): string;
}

const port = 8884;
const startMs = 90_000;

/** Starts the fleet with the broker in place of its own: the fleet first, since its authority certifies the broker. */
export async function beginWith(
  world: World,
  kind: BrokerKind,
  made: (broker: OutsideBroker) => void,
): Promise<void> {
  const broker = brokerOf(world, kind);
  made(broker);
  await world.fleet.start(['--broker', broker.url, '--on-devices', broker.tell]);
  // The fleet runs it at its start; that the broker cannot be told yet is in the log, and no harm.
  await until('the configuration is written', 30_000, () => broker.isWritten() || undefined);
  await broker.start();
  await until(`the fleet is linked to ${kind}`, 30_000, async () => {
    const lines = world.fleet.output();
    return /broker: (what it can do"|it can do less)/.test(lines) ? true : undefined;
  });
}

function brokerOf(
  world: World,
  kind: BrokerKind,
): OutsideBroker & { tell: string; isWritten(): boolean } {
  const folder = join(world.root, kind);
  mkdirSync(folder, { recursive: true });
  const logFile = join(folder, 'broker.out');
  const config = commandLine('wherry-provision', [
    ...['broker-config', kind, '--root', world.fleet.root, '-o', folder],
    ...['--name', fleetAddress, '--listen', fleetAddress, '--port', String(port)],
    ...['--user', 'root'],
  ]);
  // What it prints are the commands that an operator is told to use.
  const told = join(folder, 'told');
  const write = `${config.join(' ')} > ${told}.new && mv ${told}.new ${told}`;
  const env = `export HOME=${folder}; export PATH=/usr/lib/rabbitmq/bin:$PATH`;
  const tell = `${env}; ${write} && ( sed '1,/^# after/d' ${told} | sh -e )`;
  const readLog = (): string => readFileSync(logFile, 'utf8');
  let running: ChildProcess[] = [];
  const launch = (line: string): ChildProcess => {
    const fd = openSync(logFile, 'a');
    const child = spawn(
      'nsenter',
      [`--net=/run/netns/${world.site.netns}`, 'sh', '-c', `${env}; exec ${line}`],
      { stdio: ['ignore', fd, fd], detached: true },
    );
    closeSync(fd);
    return child;
  };
  return {
    url: `mqtts://${fleetAddress}:${port}`,
    folder,
    tell,
    isWritten: () => existsSync(told),
    log: readLog,
    start: async () => {
      const start = /^# start\n(.+)\n/.exec(readFileSync(told, 'utf8'))?.[1] ?? '';
      // Erlang's name server would go on as a daemon of its own: it is a child here.
      if (kind === 'rabbitmq') running.push(launch('epmd -address 127.0.0.1'));
      running.push(launch(`env ${start}`));
      await until(`${kind} listens`, startMs, () => {
        if (running.some(({ exitCode }) => exitCode !== null)) throw new Error(readLog());
        return listens(world);
      });
    },
    wipe: async () => {
      for (const child of running) await end(child);
      running = [];
      rmSync(join(folder, 'data'), { recursive: true, force: true });
    },
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const ended = new Promise((resolve) => child.once('close', resolve));
  process.kill(-child.pid, 'SIGKILL');
  await ended;
}

async function listens(world: World): Promise<true | undefined> {
  const words = `require('net').connect(${port}, '${fleetAddress}').on('connect', () => process.exit(0)).on('error', () => process.exit(1))`;
  const { code } = await runIn(world.site.netns, [process.execPath, '-e', words]);
  return code === 0 ? true : undefined;
}
