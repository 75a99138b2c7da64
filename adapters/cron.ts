// SPDX-License-Identifier: Apache-2.0
// Periodic reasons to wake, as cron patterns in UTC, by the minute. node-cron reads and matches the patterns;
// its own runner is not used: on a forward clock step it walks every missed slot (30 days of a 5 s pattern
// blocked the process for 77 s), and a board without a clock makes just such a step at each boot.
// Here one timer a minute compares the wall clock with itself: after a step forward each job is due once,
// after a step back none is due twice in the same minute of real time.

import { createTask, validate } from 'node-cron';
import { CodedError } from '../protocol/error.js';
import type { Clock } from './clock.js';
import { errorFacts, type Log } from './log.js';

export interface CronJob {
  readonly name: string;
  /** Five fields: minute, hour, day of month, month, day of week. */
  readonly pattern: string;
  /** It begins up to so much later, at random; absent = at once. */
  readonly jitterMsMax?: number;
  /** Not begun again while it runs. What it throws is logged. */
  run(): void | Promise<void>;
}

export interface Cron {
  /** Does not wait for a job that runs. */
  close(): void;
}

const minuteMs = 60_000;
/** A later look than this is a clock step, or a suspended machine: all jobs are due. */
const lookbackMinutesMax = 5;

/** @throws CONFIG_BAD for a pattern that is none, or has seconds */
export function openCron(jobs: readonly CronJob[], parts: { clock: Clock; log: Log }): Cron {
  const { clock, log } = parts;
  const entries = withoutIcu(() => jobs.map((job) => entryOf(job, log)));
  let lastMinute = minuteOf(clock);
  let timer: NodeJS.Timeout;
  const look = (): void => {
    const minute = minuteOf(clock);
    const passed = minute - lastMinute;
    if (passed < 0 || passed > lookbackMinutesMax) {
      log.info({ minutes: passed }, 'cron: the clock was set');
    }
    for (const entry of entries) {
      if (isDue(entry.matches, lastMinute, minute)) entry.begin();
    }
    lastMinute = minute;
    timer = setTimeout(look, untilNext(clock));
  };
  timer = setTimeout(look, untilNext(clock));
  return {
    close: () => {
      clearTimeout(timer);
      for (const entry of entries) entry.end();
    },
  };
}

function minuteOf(clock: Clock): number {
  return Math.floor(clock.now() / minuteMs);
}

/** Just behind the next full minute, so that a timer that fires early does not look twice. */
function untilNext(clock: Clock): number {
  return minuteMs - (clock.now() % minuteMs) + 20;
}

function isDue(matches: (minute: number) => boolean, from: number, to: number): boolean {
  if (to - from > lookbackMinutesMax) return true;
  for (let minute = from + 1; minute <= to; minute += 1) {
    if (matches(minute)) return true;
  }
  return false;
}

interface Entry {
  matches(minute: number): boolean;
  begin(): void;
  end(): void;
}

function entryOf(job: CronJob, log: Log): Entry {
  if (job.pattern.trim().split(/\s+/).length !== 5 || !validate(job.pattern)) {
    throw new CodedError('CONFIG_BAD', `'${job.pattern}' is not a cron pattern of five fields`, {
      job: job.name,
    });
  }
  let isBusy = false;
  let late: NodeJS.Timeout | undefined;
  const work = async (): Promise<void> => {
    try {
      await job.run();
    } catch (error) {
      log.warn({ job: job.name, ...errorFacts(error) }, 'cron: the job failed');
    } finally {
      isBusy = false;
    }
  };
  const task = createTask(job.pattern, work, { timezone: 'UTC', name: job.name });
  task.getNextRuns(1); // makes node-cron's formatters, while ICU is away
  return {
    matches: (minute) => task.match(new Date(minute * minuteMs)),
    begin: () => {
      if (isBusy) return;
      isBusy = true;
      late = setTimeout(() => void work(), Math.random() * (job.jitterMsMax ?? 0));
    },
    end: () => {
      clearTimeout(late);
      void task.destroy();
    },
  };
}

/**
 * node-cron asks Intl for the parts of a date, once a time zone, and keeps the formatter. For UTC they are
 * simple sums, and loading ICU's tables would cost a small device 7 to 11 MB for good. The exchange lasts for
 * this synchronous call only.
 */
function withoutIcu<T>(work: () => T): T {
  const real = Intl.DateTimeFormat;
  Intl.DateTimeFormat = UtcFormat as unknown as typeof Intl.DateTimeFormat;
  try {
    return work();
  } finally {
    Intl.DateTimeFormat = real;
  }
}

const weekdays = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];

/** What node-cron uses of Intl.DateTimeFormat('en-US', {timeZone: 'UTC', …}). */
class UtcFormat {
  readonly #isOffset: boolean;

  constructor(_locale: string, options: Intl.DateTimeFormatOptions) {
    this.#isOffset = options.timeZoneName !== undefined;
  }

  formatToParts(date: Date): Array<{ type: string; value: string }> {
    if (this.#isOffset) return [{ type: 'timeZoneName', value: 'GMT' }];
    return [
      { type: 'year', value: String(date.getUTCFullYear()) },
      { type: 'month', value: String(date.getUTCMonth() + 1) },
      { type: 'day', value: String(date.getUTCDate()) },
      { type: 'hour', value: String(date.getUTCHours()) },
      { type: 'minute', value: String(date.getUTCMinutes()) },
      { type: 'second', value: String(date.getUTCSeconds()) },
      { type: 'weekday', value: weekdays[date.getUTCDay()] ?? '' },
    ];
  }
}
