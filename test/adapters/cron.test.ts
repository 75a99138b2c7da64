// SPDX-License-Identifier: Apache-2.0
// Periodic jobs on a clock that is set forward and back.

import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import type { Clock } from '../../adapters/clock.js';
import { type CronJob, openCron } from '../../adapters/cron.js';
import { openLog } from '../../adapters/log.js';

const log = openLog('test', 'silent');
const minuteMs = 60_000;

/** A wall clock that stands a moment before each next minute whenever it is asked how long to sleep. */
interface Wall extends Clock {
  at: number;
  /** Times that it was asked; a look asks twice. */
  asked: number;
}

/** Real timers of about 20 ms carry the cron from look to look; `at` is what the wall clock says. */
function aWall(at: string): Wall {
  const wall: Wall = {
    at: Date.parse(at),
    asked: 0,
    now: () => {
      wall.asked += 1;
      return wall.at;
    },
    monotonicMs: () => performance.now(),
    sleep: async () => undefined,
  };
  return wall;
}

/** The last millisecond of a minute: the next look comes after 21 ms. */
const brink = (time: string): string => `${time}:59.999Z`;

function aCron(t: ExecutionContext, wall: Wall, jobs: CronJob[]): void {
  const cron = openCron(jobs, { clock: wall, log });
  t.teardown(() => cron.close());
}

/** Two whole looks of the cron, and the start of the jobs that they found due. */
async function look(wall: Wall): Promise<void> {
  const from = wall.asked;
  const untilMs = performance.now() + 5000;
  while (wall.asked < from + 4 && performance.now() < untilMs) await pause(5);
  await pause(20);
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function after(wall: Wall, time: string): Promise<void> {
  wall.at = Date.parse(brink(time));
  await look(wall);
}

test('A job runs in the minutes that its pattern names and in no other', async (t) => {
  const wall = aWall(brink('2026-03-01T11:58'));
  const ran: string[] = [];
  const jobs = [
    { name: 'quarter', pattern: '*/15 * * * *', run: () => void ran.push('quarter') },
    { name: 'noon', pattern: '0 12 * * *', run: () => void ran.push('noon') },
    { name: 'sunday', pattern: '1 12 1 3 0', run: () => void ran.push('sunday') },
    { name: 'never', pattern: '0 12 * * 1', run: () => void ran.push('never') },
  ];
  aCron(t, wall, jobs);
  await after(wall, '2026-03-01T11:59');
  t.deepEqual(ran, []);
  await after(wall, '2026-03-01T12:00');
  t.deepEqual(ran, ['quarter', 'noon']);
  await after(wall, '2026-03-01T12:01');
  t.deepEqual(ran, ['quarter', 'noon', 'sunday']);
});

test('A clock that is set forward by 56 years makes each job due once, and blocks nothing', async (t) => {
  const wall = aWall(brink('1970-01-01T00:00'));
  let count = 0;
  aCron(t, wall, [
    {
      name: 'each',
      pattern: '* * * * *',
      run: () => {
        count += 1;
      },
    },
  ]);
  const beganMs = performance.now();
  wall.at = Date.parse(brink('2026-06-01T00:00'));
  await look(wall);
  t.is(count, 1);
  t.true(performance.now() - beganMs < 5000, 'walking 29 million minutes takes far longer');
  await after(wall, '2026-06-01T00:01');
  t.is(count, 2);
});

test('A clock that is set back goes on from there and does not fall silent', async (t) => {
  const wall = aWall(brink('2026-06-01T12:00'));
  let count = 0;
  aCron(t, wall, [
    {
      name: 'each',
      pattern: '* * * * *',
      run: () => {
        count += 1;
      },
    },
  ]);
  await after(wall, '2026-06-01T11:00');
  t.is(count, 0);
  await after(wall, '2026-06-01T11:01');
  t.is(count, 1);
});

test('A look that comes a few minutes late makes up for the minutes between, once', async (t) => {
  const wall = aWall(brink('2026-06-01T12:13'));
  let count = 0;
  aCron(t, wall, [
    {
      name: 'quarter',
      pattern: '*/15 * * * *',
      run: () => {
        count += 1;
      },
    },
  ]);
  await after(wall, '2026-06-01T12:17');
  t.is(count, 1);
});

test('A job is not begun again while it runs, and one that throws runs again', async (t) => {
  const wall = aWall(brink('2026-06-01T12:00'));
  let slow = 0;
  let bad = 0;
  let end = (): void => undefined;
  aCron(t, wall, [
    {
      name: 'slow',
      pattern: '* * * * *',
      run: () => {
        slow += 1;
        return new Promise<void>((resolve) => {
          end = resolve;
        });
      },
    },
    {
      name: 'bad',
      pattern: '* * * * *',
      run: () => {
        bad += 1;
        throw new Error('it failed');
      },
    },
  ]);
  for (const minute of ['01', '02', '03']) await after(wall, `2026-06-01T12:${minute}`);
  t.is(slow, 1);
  t.is(bad, 3);
  end();
  await look(wall);
  await after(wall, '2026-06-01T12:04');
  t.is(slow, 2);
});

test('A closed cron begins nothing any more', async (t) => {
  const wall = aWall(brink('2026-06-01T12:00'));
  let count = 0;
  const jobs = [
    {
      name: 'x',
      pattern: '* * * * *',
      run: () => {
        count += 1;
      },
    },
  ];
  openCron(jobs, { clock: wall, log }).close();
  wall.at += 3 * minuteMs;
  await pause(60);
  t.is(count, 0);
});

test('Patterns with seconds and patterns that are none are refused by name', (t) => {
  for (const pattern of ['*/5 * * * * *', '* * * *', '61 * * * *', 'often', '']) {
    const jobs = [{ name: 'x', pattern, run: () => undefined }];
    t.throws(() => openCron(jobs, { clock: aWall(brink('2026-06-01T12:00')), log }), {
      code: 'CONFIG_BAD',
    } as never);
  }
});

test('ICU’s date tables are never loaded by a cron that runs', (t) => {
  const module = fileURLToPath(new URL('../../adapters/cron.js', import.meta.url));
  const script = `
    const real = Intl.DateTimeFormat;
    let asked = 0;
    Intl.DateTimeFormat = function (...args) { asked += 1; return new real(...args); };
    const { openCron } = await import(${JSON.stringify(module)});
    const clock = { now: () => 1e12 + 59999, monotonicMs: () => 0 };
    let minute = 1e12 - (1e12 % 60000) + 59999;
    clock.now = () => minute;
    openCron([{ name: 'x', pattern: '*/2 * * * *', run: () => {
      process.stdout.write(String(asked));
      process.exit(0);
    } }], { clock, log: { info() {}, warn(facts) { process.stdout.write(JSON.stringify(facts)); } } });
    setInterval(() => { minute += 60000; }, 30);
    setTimeout(() => process.exit(1), 5000);
  `;
  const told = execFileSync(process.execPath, ['--input-type=module', '-e', script]);
  t.is(String(told), '0');
});
