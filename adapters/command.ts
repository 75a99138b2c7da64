// SPDX-License-Identifier: Apache-2.0
// A command line from a table: the same table gives the parsing (node:util parseArgs), --help, and later
// completion and man pages. It prints nothing but help; a wrong word is USAGE with the place to read on.

import { parseArgs } from 'node:util';
import { CodedError } from '../protocol/error.js';

export interface Option {
  readonly type: 'string' | 'boolean';
  readonly short?: string;
  readonly multiple?: boolean;
  /** Shown in help for the value: DIR, N, REF. */
  readonly value?: string;
  readonly default?: string;
  readonly about: string;
}

export interface Parsed {
  readonly args: readonly string[];
  text(name: string): string | undefined;
  list(name: string): readonly string[];
  flag(name: string): boolean;
  /** @throws USAGE if it is not a whole number in the bounds */
  integer(name: string, bounds: { min: number; max: number }): number | undefined;
}

export interface Command {
  /** One or two words: `ps`, `release create`. Empty: what the program does without a command. */
  readonly name: string;
  readonly about: string;
  /** As shown in help: `[WORKLOAD]`, `REF`, `DIR...`; a name in capitals is required, in brackets optional. */
  readonly args?: string;
  readonly options?: Readonly<Record<string, Option>>;
  run(parsed: Parsed): Promise<number>;
}

export interface Program {
  readonly name: string;
  readonly about: string;
  readonly options: Readonly<Record<string, Option>>;
  readonly commands: readonly Command[];
}

const helpOption: Option = { type: 'boolean', short: 'h', about: 'Show this help' };

/** Parses, runs, and gives the exit status. @throws USAGE */
export async function runProgram(
  program: Program,
  argv: readonly string[],
  print: (text: string) => void,
): Promise<number> {
  const words = argv.filter(
    (word, at) => !word.startsWith('-') && !takesValue(program, argv[at - 1]),
  );
  const command = findCommand(program, words);
  const wantsHelp = argv.includes('--help') || argv.includes('-h');
  if (command === undefined) {
    if (words.length === 0 || wantsHelp) {
      print(programHelp(program));
      return words.length === 0 && !wantsHelp ? 2 : 0;
    }
    throw usage(`unknown command '${words[0]}'`, program.name);
  }
  if (wantsHelpBeforeDash(argv)) {
    print(commandHelp(program, command));
    return 0;
  }
  return command.run(parse(program, command, argv));
}

function wantsHelpBeforeDash(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  const own = end < 0 ? argv : argv.slice(0, end);
  return own.includes('--help') || own.includes('-h');
}

/** Whether `word` is a global option whose value is the next word: needed to find the command's name. */
function takesValue(program: Program, word: string | undefined): boolean {
  if (word === undefined || word.includes('=')) return false;
  return Object.entries(program.options).some(
    ([name, option]) =>
      option.type === 'string' && (word === `--${name}` || word === `-${option.short}`),
  );
}

function findCommand(program: Program, words: readonly string[]): Command | undefined {
  const two = `${words[0]} ${words[1]}`;
  return (
    program.commands.find((command) => command.name === two) ??
    program.commands.find((command) => command.name === words[0]) ??
    program.commands.find((command) => command.name === '')
  );
}

function parse(program: Program, command: Command, argv: readonly string[]): Parsed {
  const options = { ...program.options, ...command.options, help: helpOption };
  const where = nameOf(program, command);
  let values: Record<string, unknown>;
  let positionals: string[];
  try {
    const parsed = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: Object.fromEntries(
        Object.entries(options).map(([name, option]) => [name, parseOption(option)]),
      ),
    });
    ({ values, positionals } = parsed as {
      values: Record<string, unknown>;
      positionals: string[];
    });
  } catch (error) {
    throw usage((error as Error).message, where);
  }
  const args = positionals.slice(command.name === '' ? 0 : command.name.split(' ').length);
  checkCount(command, args, where);
  return parsedOf(options, values, args, where);
}

function parseOption(option: Option): {
  type: 'string' | 'boolean';
  short?: string;
  multiple: boolean;
} {
  return {
    type: option.type,
    multiple: option.multiple ?? false,
    ...(option.short === undefined ? {} : { short: option.short }),
  };
}

function parsedOf(
  options: Readonly<Record<string, Option>>,
  values: Record<string, unknown>,
  args: readonly string[],
  where: string,
): Parsed {
  const text = (name: string): string | undefined =>
    (values[name] as string | undefined) ?? options[name]?.default;
  return {
    args,
    text,
    list: (name) => (values[name] as string[] | undefined) ?? [],
    flag: (name) => values[name] === true,
    integer: (name, { min, max }) => {
      const word = text(name);
      if (word === undefined) return undefined;
      const number = Number(word);
      if (!/^-?\d+$/.test(word) || number < min || number > max) {
        throw usage(`--${name} takes a whole number from ${min} to ${max}, not '${word}'`, where);
      }
      return number;
    },
  };
}

function checkCount(command: Command, args: readonly string[], where: string): void {
  const words = (command.args ?? '').split(' ').filter((word) => word !== '');
  const needed = words.filter((word) => !word.startsWith('['));
  if (args.length < needed.length) throw usage(`misses ${needed[args.length]}`, where);
  const open = words.some((word) => word.includes('...'));
  if (!open && args.length > words.length)
    throw usage(`does not take '${args[words.length]}'`, where);
}

function usage(what: string, where: string): CodedError {
  return new CodedError('USAGE', `${what}; see '${where} --help'`);
}

export function programHelp(program: Program): string {
  return [
    `Usage: ${program.name} COMMAND [OPTIONS]`,
    '',
    program.about,
    '',
    'Commands:',
    ...columns(program.commands.map((command) => [`${command.name}`, command.about])),
    '',
    'Options:',
    ...optionLines({ ...program.options, help: helpOption }),
    '',
    `Run '${program.name} COMMAND --help' for a command's own options.`,
  ].join('\n');
}

function nameOf(program: Program, command: Command): string {
  return `${program.name} ${command.name}`.trimEnd();
}

export function commandHelp(program: Program, command: Command): string {
  return [
    `Usage: ${nameOf(program, command)} [OPTIONS] ${command.args ?? ''}`.trimEnd(),
    '',
    command.about,
    '',
    'Options:',
    ...optionLines({ ...command.options, ...program.options, help: helpOption }),
  ].join('\n');
}

function optionLines(options: Readonly<Record<string, Option>>): string[] {
  return columns(
    Object.entries(options).map(([name, option]) => [
      `${option.short === undefined ? '    ' : `-${option.short}, `}--${name}${option.type === 'string' ? ` ${option.value ?? 'VALUE'}` : ''}`,
      option.default === undefined ? option.about : `${option.about} (default ${option.default})`,
    ]),
  );
}

function columns(rows: ReadonlyArray<readonly [string, string]>): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}
