// SPDX-License-Identifier: Apache-2.0
// The completion script for fish.

import type { Kind, Shown, ShownArg, ShownCommand, ShownOption } from './completion.js';

export function fishCompletion(shown: Shown): string {
  const { name, word } = shown;
  const groups = shown.groups.join(' ');
  return `# fish completion for ${name}, written by '${name} completion fish'
function _${word}_words
  switch $argv[1]
${shown.listers.map((one) => `    case ${one.name}\n      ${name} ${one.pipe} 2>/dev/null\n`).join('')}  end
end
# The command that is being typed, one or two words, is $argv.
function _${word}_is
  set -l words (commandline -opc)[2..-1] ; set -l found
  set -l skip 0
  for word in $words
    if test $skip = 1
      set skip 0
    else if contains -- $word ${valuedOf(shown)}
      set skip 1
    else if not string match -q -- '-*' $word
      set -a found $word
      if test (count $found) = 2; or not contains -- $found[1] ${groups === '' ? "''" : groups}
        break
      end
    end
  end
  test "$found" = "$argv"
end
complete -c ${name} -f
${firstWords(shown)}
${shown.options.map((option) => optionLine(shown, `_${word}_is ''`, option)).join('\n')}
${shown.commands
  .filter((command) => command.name !== '')
  .map((command) => commandLines(shown, command))
  .join('\n')}
`;
}

/** Options before the command whose value is the next word. */
function valuedOf(shown: Shown): string {
  const valued = shown.options.filter(({ value }) => value !== undefined);
  return valued.length === 0 ? "''" : valued.map(({ name }) => `--${name}`).join(' ');
}

function firstWords(shown: Shown): string {
  const { name, word, groups } = shown;
  const lines = groups.map((group) => `complete -c ${name} -n "_${word}_is ''" -a ${group}`);
  for (const command of shown.commands) {
    const [first = '', second] = command.name.split(' ');
    if (first === '') continue;
    const about = `-d ${quoted(command.about)}`;
    lines.push(
      second === undefined
        ? `complete -c ${name} -n "_${word}_is ''" -a ${first} ${about}`
        : `complete -c ${name} -n "_${word}_is ${first}" -a ${second} ${about}`,
    );
  }
  return lines.join('\n');
}

function commandLines(shown: Shown, command: ShownCommand): string {
  const when = `_${shown.word}_is ${command.name}`;
  const args = [...command.args, ...(command.more === undefined ? [] : [command.more])];
  return [
    ...command.options.map((option) => optionLine(shown, when, option)),
    ...args.flatMap((arg) => argLine(shown, when, arg)),
  ].join('\n');
}

function argLine(shown: Shown, when: string, { kind }: ShownArg): string[] {
  const words = kindText(kind);
  return words === '' ? [] : [`complete -c ${shown.name} -n "${when}" ${words}`];
}

function optionLine(shown: Shown, when: string, option: ShownOption): string {
  const short = option.short === undefined ? '' : ` -s ${option.short}`;
  const value = option.value === undefined ? '' : ` -r ${kindText(option.value.kind)}`;
  return `complete -c ${shown.name} -n "${when}"${short} -l ${option.name} -d ${quoted(option.about)}${value}`.trimEnd();
}

function kindText(kind: Kind): string {
  switch (kind.is) {
    case 'none':
      return '';
    case 'file':
      return '-F';
    case 'folder':
      return `-a '(__fish_complete_directories)'`;
    case 'listed':
      return `-a '${kind.words.join(' ')}'`;
    case 'asked':
      return `-a '(${kind.lister} ${kind.name})'`;
  }
}

function quoted(text: string): string {
  return `'${text.replace(/\\/g, '\\\\').replace(/'/g, "\\'")}'`;
}
