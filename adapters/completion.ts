// SPDX-License-Identifier: Apache-2.0
// Completion of a program's commands, options and words, from its table. What a word may be is read from the
// name that the table shows for it: DIR and FILE are looked for on disk, names in `words` are asked of the
// program, names in `choices` are those. Pure.

import { CodedError } from '../protocol/error.js';
import { allOptions, type Command, type Program, topOptions } from './command.js';
import { bashCompletion } from './completion-bash.js';
import { fishCompletion } from './completion-fish.js';
import { zshCompletion } from './completion-zsh.js';

/** `none`: a word of its own that nobody can guess. */
export type Kind =
  | { readonly is: 'none' | 'file' | 'folder' }
  | { readonly is: 'asked'; readonly name: string; readonly lister: string }
  | { readonly is: 'listed'; readonly words: readonly string[] };

export interface ShownOption {
  readonly name: string;
  readonly short: string | undefined;
  readonly about: string;
  readonly multiple: boolean;
  /** Undefined: it takes no value. */
  readonly value: { readonly shown: string; readonly kind: Kind } | undefined;
}

export interface ShownArg {
  readonly shown: string;
  readonly kind: Kind;
}

export interface ShownCommand {
  readonly name: string;
  readonly about: string;
  readonly options: readonly ShownOption[];
  readonly args: readonly ShownArg[];
  /** After its first word no option is its own. */
  readonly optionsFirst: boolean;
  /** For every word past `args`; undefined: there may be none. */
  readonly more: ShownArg | undefined;
}

/** What a shell's script is made of. */
export interface Shown {
  readonly name: string;
  /** The name as a shell's function may have it. */
  readonly word: string;
  readonly options: readonly ShownOption[];
  readonly commands: readonly ShownCommand[];
  /** First words of commands of two words. */
  readonly groups: readonly string[];
  readonly listers: ReadonlyArray<{ readonly name: string; readonly pipe: string }>;
}

const makers: Readonly<Record<string, (shown: Shown) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

/** The script for `shell`. @throws USAGE */
export function completionOf(program: Program, shell: string): string {
  const maker = makers[shell];
  if (maker !== undefined) return maker(shownOf(program)).trimEnd();
  const known = Object.keys(makers).join(', ');
  throw new CodedError('USAGE', `completion is there for ${known}, not for '${shell}'`);
}

function shownOf(program: Program): Shown {
  const commands = program.commands.map((command) => commandOf(program, command));
  const firsts = program.commands.map(({ name }) => name.split(' '));
  return {
    name: program.name,
    word: program.name.replaceAll('-', '_'),
    options: optionsOf(program, topOptions(program)),
    commands,
    groups: [...new Set(firsts.filter((words) => words.length > 1).map(([first = '']) => first))],
    listers: Object.entries(program.words ?? {}).map(([name, { command, field }]) => ({
      name,
      pipe: field === undefined ? command : `${command} 2>/dev/null | ${fieldFilter(field)}`,
    })),
  };
}

/** Of JSON as `show` prints it: a field a line. */
function fieldFilter(field: string): string {
  return `sed -n 's/^ *"${field}": "\\(.*\\)",\\{0,1\\}$/\\1/p'`;
}

function commandOf(program: Program, command: Command): ShownCommand {
  const words = (command.args ?? '').split(' ').filter((word) => word !== '');
  const args = words.map((word) => ({ shown: word.replace(/[[\]]|\.\.\./g, ''), word }));
  const shown = args.map((arg) => ({ shown: arg.shown, kind: kindOf(program, arg.shown) }));
  const isOpen = words.at(-1)?.includes('...') === true;
  return {
    name: command.name,
    about: command.about,
    options: optionsOf(program, allOptions(program, command)),
    optionsFirst: command.optionsFirst === true,
    args: isOpen ? shown.slice(0, -1) : shown,
    more: isOpen ? shown.at(-1) : undefined,
  };
}

function optionsOf(program: Program, options: ReturnType<typeof topOptions>): ShownOption[] {
  return Object.entries(options).map(([name, option]) => {
    const shown = option.value ?? 'VALUE';
    return {
      name,
      short: option.short,
      about: option.about,
      multiple: option.multiple === true,
      value: option.type === 'boolean' ? undefined : { shown, kind: kindOf(program, shown) },
    };
  });
}

function kindOf(program: Program, shown: string): Kind {
  if (program.words?.[shown] !== undefined) {
    return { is: 'asked', name: shown, lister: `_${program.name.replaceAll('-', '_')}_words` };
  }
  const choices = program.choices?.[shown];
  if (choices !== undefined) return { is: 'listed', words: choices };
  if (/^[a-z0-9]+(\|[a-z0-9]+)+$/.test(shown)) return { is: 'listed', words: shown.split('|') };
  if (shown === 'DIR') return { is: 'folder' };
  if (shown === 'FILE') return { is: 'file' };
  return { is: 'none' };
}
