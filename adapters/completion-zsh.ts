// SPDX-License-Identifier: Apache-2.0
// The completion script for zsh: _arguments for the program and for each command.

import type { Kind, Shown, ShownArg, ShownCommand, ShownOption } from './completion.js';

export function zshCompletion(shown: Shown): string {
  const { name, word } = shown;
  const commands = shown.commands.filter((command) => command.name !== '');
  return `#compdef ${name}
# zsh completion for ${name}, written by '${name} completion zsh'
_${word}_words() {
  local -a found
  case $1 in
${shown.listers.map((one) => `    ${one.name}) found=(\${(f)"$(_call_program words ${name} ${quoted(one.pipe)})"}) ;;\n`).join('')}  esac
  (( $#found )) && compadd -a found
}
_${word}_commands() {
  local -a found
  case $1 in
${wordLists(shown, commands)}
  esac
  _describe command found
}
_${word}() {
  local curcontext=$curcontext state line ret=1
  typeset -A opt_args
  _arguments -C -s ${shown.options.map(optionSpec).join(' ')} '1: :->first' '*:: :->rest' && ret=0
  case $state in
    first) _${word}_commands '' && ret=0 ;;
    rest) _${word}_of "$line[1]" && ret=0 ;;
  esac
  return ret
}
_${word}_of() {
  local ret=1 state
  case $1 in
${shown.groups.map((group) => groupCase(word, group)).join('')}${commands.map(commandCase).join('')}  esac
  return ret
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _${word} "$@"
else
  compdef _${word} ${name}
fi
`;
}

function wordLists(shown: Shown, commands: readonly ShownCommand[]): string {
  const heads = ['', ...shown.groups];
  return heads
    .map((head) => {
      const found = commands.flatMap(({ name, about }) => {
        const words = name.split(' ');
        const isHere = head === '' ? words.length === 1 : words[0] === head && words.length === 2;
        return isHere ? [quoted(`${words.at(-1)}:${escaped(about)}`)] : [];
      });
      const groups = head === '' ? shown.groups.map((group) => quoted(`${group}:${group} …`)) : [];
      return `    '${head}') found=(${[...groups, ...found].join(' ')}) ;;`;
    })
    .join('\n');
}

/** The second word moves to the front, so that the command's own words are counted from there. */
function groupCase(word: string, group: string): string {
  return `    ${group})
      if (( CURRENT == 2 )); then
        _${word}_commands ${group} && ret=0
      else
        shift words
        (( CURRENT-- ))
        _${word}_of "${group} $words[1]" && ret=0
      fi ;;\n`;
}

function commandCase(command: ShownCommand): string {
  const args = command.args.map((arg, at) => argSpec(String(at + 1), arg));
  const more = command.more === undefined ? [] : [argSpec('*', command.more)];
  const specs = [...command.options.map(optionSpec), ...args, ...more];
  return `    '${command.name}') _arguments -s ${command.optionsFirst ? `-A '-*' ` : ''}${specs.join(' ')} && ret=0 ;;\n`;
}

function argSpec(place: string, { shown, kind }: ShownArg): string {
  return quoted(`${place}:${escaped(shown)}:${kindText(kind)}`);
}

function optionSpec({ name, short, about, value, multiple }: ShownOption): string {
  const taken = value === undefined ? '' : `:${escaped(value.shown)}:${kindText(value.kind)}`;
  const text = `[${escaped(about)}]${taken}`;
  const long = `--${name}${value === undefined ? '' : '='}`;
  const lead = multiple ? '*' : '';
  if (short === undefined) return quoted(`${lead}${long}${text}`);
  const both = `{-${short}${value === undefined ? '' : '+'},${long}}`;
  return `${multiple ? "'*'" : quoted(`(-${short} --${name})`)}${both}${quoted(text)}`;
}

function kindText(kind: Kind): string {
  switch (kind.is) {
    case 'none':
      return ' ';
    case 'file':
      return '_files';
    case 'folder':
      return '_files -/';
    case 'listed':
      return `(${kind.words.join(' ')})`;
    case 'asked':
      return ` ${kind.lister} ${kind.name}`; // the blank: without options of compadd before the name
  }
}

/** For a spec of _arguments and _describe. */
function escaped(text: string): string {
  return text.replace(/[[\]:\\]/g, '\\$&');
}

function quoted(text: string): string {
  return `'${text.replace(/'/g, "'\\''")}'`;
}
