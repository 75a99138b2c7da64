#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// `wherry`: the person's tool on the device. Asks the agent on its socket; what can be told without the agent
// (containers, logs, exec) is, when it is away.

import { setTimeout as delay } from 'node:timers/promises';
import type { Command, Option, Parsed, Program } from '../../adapters/command.js';
import { type Places, placesOf } from '../../adapters/places.js';
import { bytesText, jsonText, main, print, progress } from '../../adapters/terminal.js';
import type {
  LocalContainer,
  LocalImage,
  LocalStats,
  LocalStatus,
  LocalWhy,
  LogLine,
} from '../../protocol/local.js';
import { containersOf, logsOf, orAway, statsOf } from './away.js';
import { clientOf } from './client.js';
import { isUp } from './container.js';
import { execIn } from './exec.js';
import { showContainers, showImages, showStats, showStatus, showWhy } from './print.js';
import type { LocalPulled, LocalPullProgress } from './types.js';

const redrawMs = 1000;
const clearScreen = '\x1b[H\x1b[2J';

const globals: Readonly<Record<string, Option>> = {
  root: {
    type: 'string',
    value: 'DIR',
    default: '/',
    about: 'Where state, runtime files and configuration lie',
  },
};
const jsonOption: Option = { type: 'boolean', about: 'Print JSON' };

function placesIn(parsed: Parsed): Places {
  return placesOf(parsed.text('root') ?? '/');
}

const ps: Command = {
  name: 'ps',
  about: 'List containers',
  options: {
    all: { type: 'boolean', short: 'a', about: 'Show those that do not run, too' },
    json: jsonOption,
  },
  run: async (parsed) => {
    const places = placesIn(parsed);
    const all = await orAway(
      () => clientOf(places).get<LocalContainer[]>('/v1/containers'),
      () => containersOf(places),
    );
    const shown = parsed.flag('all') ? all : all.filter(isUp);
    showContainers(shown, parsed.flag('json'), Date.now());
    return 0;
  },
};

const status: Command = {
  name: 'status',
  about: 'Show device, link, release and conditions',
  options: { json: jsonOption },
  run: async (parsed) => {
    const now = await clientOf(placesIn(parsed)).get<LocalStatus>('/v1/status');
    showStatus(now, parsed.flag('json'));
    return 0;
  },
};

const stats: Command = {
  name: 'stats',
  about: 'Show what containers use: CPU, memory and processes, with their limits',
  options: {
    'no-stream': { type: 'boolean', about: 'Print once, also on a terminal' },
    json: jsonOption,
  },
  run: async (parsed) => {
    const places = placesIn(parsed);
    const live = process.stdout.isTTY && !parsed.flag('json') && !parsed.flag('no-stream');
    do {
      const all = await orAway(
        () => clientOf(places).get<LocalStats[]>('/v1/stats'),
        () => statsOf(places),
      );
      if (live) process.stdout.write(clearScreen);
      showStats(all, parsed.flag('json'));
      if (live) await delay(redrawMs);
    } while (live);
    return 0;
  },
};

const logs: Command = {
  name: 'logs',
  about: "Print a workload's log",
  args: 'WORKLOAD',
  options: {
    follow: { type: 'boolean', short: 'f', about: 'Go on with what comes' },
    tail: { type: 'string', short: 'n', value: 'N', about: 'Only the last N lines, or all' },
    timestamps: { type: 'boolean', short: 't', about: 'Put the time before each line' },
  },
  run: async (parsed) => {
    const places = placesIn(parsed);
    const [workload = ''] = parsed.args;
    const tail =
      parsed.text('tail') === 'all'
        ? undefined
        : parsed.integer('tail', { min: 0, max: 1_000_000 });
    const follow = parsed.flag('follow');
    const query = new URLSearchParams({ workload, ...(follow ? { follow: '1' } : {}) });
    if (tail !== undefined) query.set('tail', String(tail));
    const show = (line: LogLine): void => {
      // As it came, escapes and all, also on a terminal: as with Docker, it is the container's own output.
      const stream = line.stream === 'stderr' ? process.stderr : process.stdout;
      stream.write(`${parsed.flag('timestamps') ? `${line.at} ` : ''}${line.text}\n`);
    };
    await orAway(
      async () => {
        for await (const line of clientOf(places).lines<LogLine>('GET', `/v1/logs?${query}`)) {
          show(line);
        }
      },
      async () => {
        const wanted = { follow, ...(tail === undefined ? {} : { tail }) };
        for await (const line of logsOf(places, workload, wanted)) show(line);
      },
    );
    return 0;
  },
};

const exec: Command = {
  name: 'exec',
  about: 'Run a program in a running workload',
  args: 'WORKLOAD CMD...',
  optionsFirst: true,
  options: {
    tty: { type: 'boolean', short: 't', about: 'Give it a terminal' },
    interactive: { type: 'boolean', short: 'i', about: 'Give it our standard input' },
    user: { type: 'string', short: 'u', value: 'USER', about: 'As user[:group], names or numbers' },
    env: { type: 'string', short: 'e', value: 'K=V', multiple: true, about: 'Set a variable' },
    workdir: { type: 'string', short: 'w', value: 'DIR', about: 'Start in this folder' },
  },
  run: async (parsed) => {
    const [workload = '', ...argv] = parsed.args;
    const user = parsed.text('user');
    const cwd = parsed.text('workdir');
    return execIn(placesIn(parsed), {
      workload,
      argv,
      terminal: parsed.flag('tty'),
      interactive: parsed.flag('interactive'),
      env: parsed.list('env'),
      ...(user === undefined ? {} : { user }),
      ...(cwd === undefined ? {} : { cwd }),
    });
  },
};

const images: Command = {
  name: 'images',
  about: 'List images',
  options: { json: jsonOption },
  run: async (parsed) => {
    const all = await clientOf(placesIn(parsed)).get<LocalImage[]>('/v1/images');
    showImages(all, parsed.flag('json'));
    return 0;
  },
};

const why: Command = {
  name: 'why',
  about: 'Say why the device is as it is',
  options: { json: jsonOption },
  run: async (parsed) => {
    const answer = await clientOf(placesIn(parsed)).get<LocalWhy>('/v1/why');
    showWhy(answer, parsed.flag('json'));
    return 0;
  },
};

type PullLine = { progress?: LocalPullProgress; pulled?: LocalPulled };

const pull: Command = {
  name: 'pull',
  about: 'Fetch an image',
  args: 'REF',
  options: { json: jsonOption },
  run: async (parsed) => {
    const [reference = ''] = parsed.args;
    const bar = progress();
    const lines = clientOf(placesIn(parsed)).lines<PullLine>('POST', '/v1/pull', { reference });
    for await (const { progress: step, pulled } of lines) {
      if (step !== undefined) {
        const text = `${bytesText(step.bytesDone)} / ${bytesText(step.bytesTotal)}`;
        bar.update(reference, step.bytesDone, step.bytesTotal, text);
      }
      if (pulled === undefined) continue;
      bar.end();
      const text = `${pulled.digest}\nfetched ${bytesText(pulled.bytesFetched)} of ${bytesText(pulled.imageBytes)}`;
      print(parsed.flag('json') ? jsonText(pulled) : text);
    }
    return 0;
  },
};

const clear: Command = {
  name: 'clear',
  about: 'Let a release that failed here be tried again',
  args: 'RELEASE',
  run: async (parsed) => {
    const [release = ''] = parsed.args;
    const done = await clientOf(placesIn(parsed)).post<{ release: string }>('/v1/clear', {
      release,
    });
    print(done.release);
    return 0;
  },
};

const program: Program = {
  name: 'wherry',
  about: 'Show and enter what runs on this device',
  options: globals,
  commands: [ps, status, stats, logs, exec, images, why, pull, clear],
  words: {
    WORKLOAD: { command: 'ps --all --json', field: 'workload' },
    REF: { command: 'images --quiet' },
  },
  exits: { other: 'Of exec: the status of the program that was run.' },
  files: {
    '/run/wherry/wherryd.sock': 'The socket of the agent; root only.',
    '/var/lib/wherry': 'Containers, images, logs and the database.',
  },
};

await main(program);
