// SPDX-License-Identifier: Apache-2.0
// A command line from a table: the same table gives the parsing (node:util parseArgs), --help, the completion of
// shells and the man page. It prints nothing but help and version; a wrong word is USAGE with the place to read on.

import { parseArgs } from 'node:util';
import { CodedError } from '../protocol/error.js';
import { beforeDashes, endOptionsAfter, placesOfWords } from './argv.js';
import { commandHelp, groupHelp, programHelp } from './help.js';

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
  /** Options end at the first argument; what follows is another program's, dashes and all: `exec web ls -l`. */
  readonly optionsFirst?: boolean;
  run(parsed: Parsed): Promise<number>;
}

/** A command of the same program that lists words: one a line, or as JSON with the word in `field`. */
export interface WordSource {
  readonly command: string;
  readonly field?: string;
}

export interface Program {
  readonly name: string;
  readonly about: string;
  readonly options: Readonly<Record<string, Option>>;
  readonly commands: readonly Command[];
  /** Without it there is no --version. */
  readonly version?: string;
  /** Of the manual: 1 for people's programs, 8 for the administrator's. */
  readonly section?: 1 | 8;
  /** Where the words for an argument or a value come from, by its name: WORKLOAD, DEVICE. */
  readonly words?: Readonly<Record<string, WordSource>>;
  /** The few words that an argument or a value may be, by its name: SHELL, LEVEL. */
  readonly choices?: Readonly<Record<string, readonly string[]>>;
  /** Exit statuses beyond 0, 1 and 2, for the manual. */
  readonly exits?: Readonly<Record<string, string>>;
  /** Files that a person may look for, for the manual. */
  readonly files?: Readonly<Record<string, string>>;
}

const helpOption: Option = { type: 'boolean', short: 'h', about: 'Show this help' };
const versionOption: Option = { type: 'boolean', short: 'v', about: 'Show the version' };
const quietOption: Option = {
  type: 'boolean',
  short: 'q',
  about: 'Print only names in lists, and no progress',
};

/** Options that every program has, or every command of it. */
function commonOptions(
  program: Program,
  command: Command | undefined,
): Readonly<Record<string, Option>> {
  const isTop = command === undefined || command.name === '';
  const hasLists = program.commands.every(({ name }) => name !== '');
  return {
    ...(hasLists ? { quiet: quietOption } : {}),
    ...(isTop && program.version !== undefined ? { version: versionOption } : {}),
    help: helpOption,
  };
}

/** What stands before a command. */
export function topOptions(program: Program): Readonly<Record<string, Option>> {
  return { ...program.options, ...commonOptions(program, undefined) };
}

/** As shown in the command's help: its own first. */
export function allOptions(program: Program, command: Command): Readonly<Record<string, Option>> {
  return {
    ...command.options,
    ...without(program.options, command.options),
    ...without(commonOptions(program, command), command.options),
  };
}

function without(
  options: Readonly<Record<string, Option>>,
  taken: Readonly<Record<string, Option>> = {},
): Readonly<Record<string, Option>> {
  return Object.fromEntries(Object.entries(options).filter(([name]) => taken[name] === undefined));
}

/** Parses, runs, and gives the exit status. @throws USAGE */
export async function runProgram(
  program: Program,
  argv: readonly string[],
  print: (text: string) => void,
): Promise<number> {
  const places = placesOfWords(argv, program.options);
  const words = places.map((at) => argv[at] ?? '');
  if (words[0] === 'help') {
    return runProgram(program, [...argv.filter((_, at) => at !== places[0]), '--help'], print);
  }
  if (wantsVersion(program, argv.slice(0, places[0]))) {
    print(`${program.name} ${program.version}`);
    return 0;
  }
  const command = findCommand(program, words);
  if (command === undefined) return showHelp(program, argv, words, print);
  const ended =
    command.optionsFirst === true
      ? endOptionsAfter(argv, allOptions(program, command), wordCount(command) + 1)
      : argv;
  if (wantsHelp(ended)) {
    print(commandHelp(program, command, allOptions(program, command)));
    return 0;
  }
  return command.run(parse(program, command, ended));
}

function wantsHelp(argv: readonly string[]): boolean {
  const own = beforeDashes(argv);
  return own.includes('--help') || own.includes('-h');
}

/** Only before a command: a command may have a --version of its own. */
function wantsVersion(program: Program, argv: readonly string[]): boolean {
  if (program.version === undefined) return false;
  const own = beforeDashes(argv);
  return own.includes('--version') || own.includes('-v');
}

function showHelp(
  program: Program,
  argv: readonly string[],
  words: readonly string[],
  print: (text: string) => void,
): number {
  const isAsked = wantsHelp(argv);
  const [group] = words;
  if (group === undefined) {
    print(programHelp(program, topOptions(program)));
    return isAsked ? 0 : 2;
  }
  const isGroup = program.commands.some(({ name }) => name.startsWith(`${group} `));
  if (!isGroup) throw usage(`unknown command '${group}'`, program.name);
  if (words.length > 1 && !isAsked) {
    throw usage(`unknown command '${group} ${words[1]}'`, `${program.name} ${group}`);
  }
  print(groupHelp(program, group, topOptions(program)));
  return isAsked ? 0 : 2;
}

function wordCount(command: Command): number {
  return command.name === '' ? 0 : command.name.split(' ').length;
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
  const options = allOptions(program, command);
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
  const args = positionals.slice(wordCount(command));
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

function nameOf(program: Program, command: Command): string {
  return `${program.name} ${command.name}`.trimEnd();
}
