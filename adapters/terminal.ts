// SPDX-License-Identifier: Apache-2.0
// What a person sees: tables, JSON, progress and errors. Words of devices, images and servers are in it, so
// nothing printed here holds a character that steers a terminal. A progress bar is drawn only on a terminal and is
// redrawn at most 10 times a second; elsewhere progress is plain lines, one a change of ten percent. Colour is for
// the code of an error only, on a terminal, without NO_COLOR. With --quiet lists are names and progress is not shown.

import { entryOf } from '../protocol/codes.js';
import { codeOf, messageOf } from '../protocol/error.js';
import { oneLine, printable } from '../protocol/text.js';
import { withBuiltins } from './builtin.js';
import { type Command, type Parsed, type Program, runProgram } from './command.js';
import { isJournal, withPriority } from './journal.js';

/** What the person asked of this process; set once, before its command runs. */
const asked = { quiet: false };

/** One or more lines, and nothing in them that steers a terminal. */
export function print(text: string): void {
  process.stdout.write(`${printable(text)}\n`);
}

/** For `print`. What steers a terminal stands there as \u escapes: a reader gets the very same values. */
export function jsonText(value: unknown): string {
  const escaped = (unit: string): string =>
    `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return JSON.stringify(value, null, 2).replace(/\p{C}/gu, (char) =>
    char === '\n' ? char : char.split('').map(escaped).join(''),
  );
}

export type Cell = string | number;

/** Docker's look: upper-case heads, two blanks between columns. */
export function table(heads: readonly string[], rows: ReadonlyArray<readonly Cell[]>): string {
  const all = [heads, ...rows].map((row) => row.map((cell) => oneLine(String(cell))));
  const widths = heads.map((_, at) => Math.max(...all.map((row) => row[at]?.length ?? 0)));
  return all
    .map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** The rows as JSON where `json` is asked for, else as a table; with --quiet the first column alone. */
export function show<T>(
  items: readonly T[],
  json: boolean,
  heads: readonly string[],
  row: (item: T) => readonly Cell[],
): void {
  if (json) print(jsonText(items));
  else if (!asked.quiet) print(table(heads, items.map(row)));
  else for (const item of items) print(oneLine(String(row(item)[0] ?? '')));
}

export function bytesText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toPrecision(3)} ${units[unit]}`;
}

/** 'just now', '5 minutes ago', as Docker says it; ms. */
export function agoText(ms: number): string {
  const steps: ReadonlyArray<readonly [number, string]> = [
    [86_400_000, 'day'],
    [3_600_000, 'hour'],
    [60_000, 'minute'],
    [1000, 'second'],
  ];
  for (const [size, word] of steps) {
    const count = Math.floor(ms / size);
    if (count >= 1) return `${count} ${word}${count === 1 ? '' : 's'}`;
  }
  return 'less than a second';
}

export interface Progress {
  /** `done` of `total`, in bytes or in items. */
  update(label: string, done: number, total: number, text: string): void;
  /** Ends the bar's line, if one is open. */
  end(): void;
}

const barWidth = 30;
const redrawMs = 100;

export function progress(stream: NodeJS.WriteStream = process.stderr): Progress {
  if (asked.quiet) return { update: () => undefined, end: () => undefined };
  const redraws = stream.isTTY === true && process.env['TERM'] !== 'dumb';
  return redraws ? barProgress(stream) : lineProgress(stream);
}

function barProgress(stream: NodeJS.WriteStream): Progress {
  let drawnAt = Number.NEGATIVE_INFINITY;
  let open = false;
  return {
    update: (label, done, total, text) => {
      const now = performance.now();
      if (now - drawnAt < redrawMs && done < total) return;
      drawnAt = now;
      const filled =
        total === 0 ? barWidth : Math.round((barWidth * Math.min(done, total)) / total);
      const bar = '='.repeat(filled).padEnd(barWidth);
      stream.write(`\r\x1b[2K${oneLine(label)} [${bar}] ${oneLine(text)}`);
      open = true;
    },
    end: () => {
      if (open) stream.write('\n');
      open = false;
    },
  };
}

function lineProgress(stream: NodeJS.WriteStream): Progress {
  const tenths = new Map<string, number>();
  return {
    update: (label, done, total, text) => {
      const tenth = total === 0 ? 10 : Math.floor((10 * done) / total);
      if (tenths.get(label) === tenth) return;
      tenths.set(label, tenth);
      stream.write(`${oneLine(`${label} ${tenth * 10} % ${text}`)}\n`);
    },
    end: () => tenths.clear(),
  };
}

/** The error as a person reads it: code, what and where, what to do. */
export function errorText(program: string, error: unknown, colours = false): string {
  const code = codeOf(error);
  const stack = code === 'BUG' && error instanceof Error ? `\n${error.stack}` : '';
  const text = printable(`${messageOf(error)}\n  ${entryOf(code).remedy}${stack}`);
  const shown = colours ? `\x1b[1;31m${code}\x1b[0m` : code;
  return `${program}: ${shown}: ${text}`;
}

/** https://no-color.org: a terminal, that is not dumb, and a person who did not say no. */
function hasColours(stream: NodeJS.WriteStream): boolean {
  const { NO_COLOR: no = '', TERM: term } = process.env;
  return stream.isTTY === true && no === '' && term !== 'dumb';
}

/** The main function of every command-line program: runs, prints the error, sets the exit status. */
export async function main(program: Program): Promise<void> {
  process.stdout.on('error', () => process.exit(0)); // `| head` went away
  try {
    const whole = withBuiltins(program, print);
    const commands = whole.commands.map(listening);
    process.exitCode = await runProgram({ ...whole, commands }, process.argv.slice(2), print);
  } catch (error) {
    const text = errorText(program.name, error, hasColours(process.stderr));
    process.stderr.write(`${isJournal(2) ? withPriority(text, 3) : text}\n`);
    process.exitCode = codeOf(error) === 'USAGE' ? 2 : 1;
  }
}

/** The command, after it has been seen whether the person wants quiet. */
function listening(command: Command): Command {
  const run = (parsed: Parsed): Promise<number> => {
    asked.quiet = parsed.flag('quiet');
    return command.run(parsed);
  };
  return { ...command, run };
}
