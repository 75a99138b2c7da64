// SPDX-License-Identifier: Apache-2.0
// A program's page of the manual (man macros of troff), from the table that also makes --help. Pure.

import { allOptions, type Command, type Option, type Program, topOptions } from './command.js';
import { aboutOf, usageLine } from './help.js';

type Rows = ReadonlyArray<readonly [string, string]>;

const exits: Readonly<Record<string, string>> = {
  0: 'It was done.',
  1: 'It failed; the error is on standard error, with its code and what to do.',
  2: 'The command line is wrong.',
};
const environment: Rows = [
  ['NO_COLOR', 'Where set and not empty, nothing is coloured.'],
  ['TERM', 'Where it is dumb, nothing is coloured or redrawn.'],
];

/** @param date as YYYY-MM-DD */
export function manPage(program: Program, date: string): string {
  const { name, section = 1, version = '0' } = program;
  const top = program.commands.find((command) => command.name === '');
  const named = program.commands.filter((command) => command.name !== '');
  const about = top?.about ?? program.about;
  return [
    `.TH ${name.toUpperCase()} ${section} ${date} "Wherry ${version}" "Wherry manual"`,
    ...part('NAME', [`${escaped(name)} \\- ${escaped(firstSentence(program.about))}`]),
    ...part('SYNOPSIS', synopsis(program)),
    ...part('DESCRIPTION', [escaped(about)]),
    ...part('OPTIONS', optionLines(topOptions(program))),
    ...(named.length === 0
      ? []
      : part(
          'COMMANDS',
          named.flatMap((one) => commandLines(program, one)),
        )),
    ...part('EXIT STATUS', rows(Object.entries({ ...exits, ...program.exits }))),
    ...part('ENVIRONMENT', rows(environment)),
    ...(program.files === undefined ? [] : part('FILES', rows(Object.entries(program.files)))),
    ...part('SEE ALSO', [seeAlso(program)]),
  ].join('\n');
}

const pages: Rows = [
  ['wherry', '1'],
  ['wherry-image', '1'],
  ['wherry-fleet', '8'],
  ['wherry-provision', '8'],
  ['wherryd', '8'],
];

function seeAlso(program: Program): string {
  const others = pages.filter(([name]) => name !== program.name);
  return others
    .map(
      ([name, section], at) =>
        `.BR ${escaped(name)} (${section})${at < others.length - 1 ? ',' : ''}`,
    )
    .join('\n');
}

function firstSentence(text: string): string {
  return (text.split(/[.\n]/)[0] ?? text)
    .trim()
    .replace(/^[A-Z](?=[a-z])/, (head) => head.toLowerCase());
}

function part(title: string, lines: readonly string[]): string[] {
  return [`.SH ${title}`, ...lines];
}

function synopsis(program: Program): string[] {
  const top = program.commands.find((command) => command.name === '');
  const lines = [`.B ${escaped(program.name)}`];
  if (top !== undefined) return [...lines, '.RI [ OPTIONS ]'];
  return [...lines, '.I COMMAND', '.RI [ OPTIONS ]', '.RI [ ARGUMENTS ]'];
}

/** Options that are the program's own are told once, above. */
function commandLines(program: Program, command: Command): string[] {
  const top = topOptions(program);
  const own = Object.entries(allOptions(program, command)).filter(
    ([name]) => command.options?.[name] !== undefined || top[name] === undefined,
  );
  return [
    `.SS "${escaped(usageLine(program, command))}"`,
    `${escaped(sentence(command.about))}`,
    ...optionLines(Object.fromEntries(own)),
  ];
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

function optionLines(options: Readonly<Record<string, Option>>): string[] {
  return Object.entries(options).flatMap(([name, option]) => {
    const spellings = [...(option.short === undefined ? [] : [`-${option.short}`]), `--${name}`];
    const value = option.type === 'boolean' ? '' : ` \\fI${escaped(option.value ?? 'VALUE')}\\fR`;
    const head = spellings.map((word) => `\\fB${escaped(word)}\\fR`).join(', ');
    return ['.TP', `${head}${value}`, escaped(sentence(aboutOf(option)))];
  });
}

function rows(entries: Rows): string[] {
  return entries.flatMap(([head, text]) => ['.TP', `\\fB${escaped(head)}\\fR`, escaped(text)]);
}

/** A dash is a minus, so that what is copied can be typed; a line never begins with a request. */
function escaped(text: string): string {
  return text
    .replace(/\\/g, '\\e')
    .replace(/-/g, '\\-')
    .replace(/[’‘]/g, "'")
    .replace(/…/g, '...')
    .replace(/–/g, '\\(en')
    .replace(/"/g, '\\(dq')
    .replace(/^([.'])/gm, '\\&$1');
}
