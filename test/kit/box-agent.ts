// SPDX-License-Identifier: Apache-2.0
// A program for tests: opens store and run below a root (the folders that binds
// are allowed from follow it), and makes the calls that come as JSON lines on
// standard input; each answer is one JSON line. It stands for the agent, in a network namespace of the test's
// own, and can be killed as one.

import { createInterface } from 'node:readline';
import { systemClock } from '../../adapters/clock.js';
import { openLog } from '../../adapters/log.js';
import { placesOf } from '../../adapters/places.js';
import { serveLocal } from '../../agent/local/server.js';
import type { LoopView } from '../../agent/local/types.js';
import { openRun } from '../../agent/run/run.js';
import type { ContainerSpec } from '../../agent/run/types.js';
import { openStore } from '../../agent/store/open.js';
import { codeOf, messageOf } from '../../protocol/error.js';

const places = placesOf(process.argv[2] ?? '/nonexistent');
const log = openLog('box-agent', 'silent');
const { store } = await openStore(places, log);
const bindRoots = process.argv.slice(3);
const run = await openRun({ places, store, log, clock: systemClock, bindRoots });
const server = await serveLocal({ places, store, run, view: {} as LoopView, log });
const changed: string[] = [];
const endWatch = run.watch((id) => changed.push(id));

const calls: Readonly<Record<string, (argument: never) => Promise<unknown>>> = {
  create: (spec: ContainerSpec) => run.create(spec),
  start: (id: string) => run.start(id),
  stop: ({ id, graceMs }: { id: string; graceMs: number }) => run.stop(id, graceMs),
  remove: (id: string) => run.remove(id),
  list: () => run.list(),
  stats: () => run.stats(),
  logs: async (id: string) => {
    const lines: string[] = [];
    for await (const line of run.logs(id, {})) lines.push(`${line.stream} ${line.text}`);
    return lines;
  },
  changed: async () => changed,
};

const say = (value: object): void => {
  process.stdout.write(`${JSON.stringify(value)}\n`);
};

say({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
  const { call, argument } = JSON.parse(line) as { call: string; argument: never };
  try {
    say({ value: (await calls[call]?.(argument)) ?? null });
  } catch (error) {
    say({ code: codeOf(error), message: messageOf(error) });
  }
}
endWatch();
await server.close();
await store.close();
