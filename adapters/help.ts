// SPDX-License-Identifier: Apache-2.0
// What --help prints, from the tables of command.ts: of a program, of a group of commands (`rollout`), of one
// command. Pure.

import type { Command, Option, Program } from './command.js';

type Options = Readonly<Record<string, Option>>;

export function programHelp(program: Program, options: Options): string {
  return helpOf(program.name, program.about, program.commands, options);
}

/** Of the commands whose first word is `group`. */
export function groupHelp(program: Program, group: string, options: Options): string {
  const commands = program.commands
    .filter(({ name }) => name.startsWith(`${group} `))
    .map((command) => ({ ...command, name: command.name.slice(group.length + 1) }));
  return helpOf(`${program.name} ${group}`, undefined, commands, options);
}

function helpOf(
  name: string,
  about: string | undefined,
  commands: readonly Command[],
  options: Options,
): string {
  return [
    `Usage: ${name} COMMAND [OPTIONS]`,
    '',
    ...(about === undefined ? [] : [about, '']),
    'Commands:',
    ...columns(commands.map((command) => [command.name, command.about])),
    '',
    'Options:',
    ...optionLines(options),
    '',
    `Run '${name} COMMAND --help' for a command's own options.`,
  ].join('\n');
}

/** With the other commands, where this is what the program does without one. */
export function commandHelp(program: Program, command: Command, options: Options): string {
  const others = command.name === '' ? program.commands.filter((one) => one !== command) : [];
  return [
    `Usage: ${usageLine(program, command)}`,
    '',
    command.about,
    '',
    'Options:',
    ...optionLines(options),
    ...(others.length === 0 ? [] : ['', 'Commands:']),
    ...columns(others.map(({ name, about }) => [name, about])),
  ].join('\n');
}

export function usageLine(program: Program, command: Command): string {
  return `${program.name} ${command.name}`
    .trimEnd()
    .concat(` [OPTIONS] ${command.args ?? ''}`)
    .trimEnd();
}

function optionLines(options: Readonly<Record<string, Option>>): string[] {
  return columns(
    Object.entries(options).map(([name, option]) => [
      `${option.short === undefined ? '    ' : `-${option.short}, `}--${name}${option.type === 'string' ? ` ${option.value ?? 'VALUE'}` : ''}`,
      aboutOf(option),
    ]),
  );
}

export function aboutOf(option: Option): string {
  return option.default === undefined
    ? option.about
    : `${option.about} (default ${option.default})`;
}

function columns(rows: ReadonlyArray<readonly [string, string]>): string[] {
  const width = Math.max(0, ...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`.trimEnd());
}
