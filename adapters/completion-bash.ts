// SPDX-License-Identifier: Apache-2.0
// The completion script for bash (4 or newer); it needs nothing of the package bash-completion. Words are cut
// at blanks only, since bash's own cutting at `:` and `=` would tear web:v1 and --tail=5.

import type { Kind, Shown, ShownArg, ShownCommand, ShownOption } from './completion.js';

export function bashCompletion(shown: Shown): string {
  const { name, word } = shown;
  return `# bash completion for ${name}, written by '${name} completion bash'
_${word}_words() {
  case $1 in
${shown.listers.map((one) => `    ${one.name}) ${name} "\${globals[@]}" ${one.pipe} 2>/dev/null ;;\n`).join('')}    *) : ;;
  esac
}
_${word}_options() {
  case $1 in
${optionLines(shown)}
  esac
}
# What the value of an option is; nothing: it takes none.
_${word}_value() {
  case $1:$2 in
${valueLines(shown)}    *) : ;;
  esac
}
_${word}_arg() {
  case $1:$2 in
${argLines(shown)}    *) : ;;
  esac
}
_${word}() {
  local line=\${COMP_LINE:0:COMP_POINT} words globals=() given command='' count=0 skip='' ended='' at kind
  read -ra words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=('')
  local cur=\${words[-1]} last=$((\${#words[@]} - 1))
  for ((at = 1; at < last; at++)); do
    given=\${words[at]}
    if [[ -n $skip ]]; then
      [[ -z $command ]] && globals+=("$skip" "$given")
      skip=''
    elif [[ -n $ended ]]; then
      count=$((count + 1))
    elif [[ $given == -- ]]; then
      ended=1
    elif [[ $given == -*=* ]]; then
      [[ -z $command ]] && globals+=("$given")
    elif [[ $given == -* ]]; then
      [[ -n $(_${word}_value "$command" "$given") ]] && skip=$given
    elif [[ -z $command ]]; then
      command=$given
    elif [[ " ${shown.groups.join(' ')} " == *" $command "* ]]; then
      command+=" $given"
    else
      count=$((count + 1))
      [[ " ${firstOnly(shown)} " == *" $command "* ]] && ended=1
    fi
  done
  if [[ -n $skip ]]; then
    kind=$(_${word}_value "$command" "$skip")
  elif [[ -z $ended && $cur == -*=* ]]; then
    kind=$(_${word}_value "$command" "\${cur%%=*}")
    cur=\${cur#*=}
  elif [[ -z $ended && $cur == -* ]]; then
    kind="listed $(_${word}_options "$command")"
  else
    kind=$(_${word}_arg "$command" "$count")
  fi
  local IFS=$' \\t\\n'
  case $kind in
    folder) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
    file) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
    listed*) mapfile -t COMPREPLY < <(compgen -W "\${kind#listed}" -- "$cur") ;;
    asked*) mapfile -t COMPREPLY < <(compgen -W "$(_${word}_words "\${kind#asked }")" -- "$cur") ;;
    *) COMPREPLY=() ;;
  esac
  if [[ $cur == *:* && $COMP_WORDBREAKS == *:* ]]; then
    local head=\${cur%"\${cur##*:}"}
    COMPREPLY=("\${COMPREPLY[@]#"$head"}")
  fi
}
complete -F _${word} ${name}
`;
}

function firstOnly(shown: Shown): string {
  const names = shown.commands.filter((command) => command.optionsFirst).map(({ name }) => name);
  return names.join(' ');
}

function spellings({ name, short }: ShownOption): string[] {
  return short === undefined ? [`--${name}`] : [`-${short}`, `--${name}`];
}

function optionLines(shown: Shown): string {
  const line = (options: readonly ShownOption[]): string =>
    `echo '${options.flatMap(spellings).join(' ')}' ;;`;
  const named = shown.commands
    .filter(({ name }) => name !== '')
    .map(({ name, options }) => `    '${name}') ${line(options)}`);
  return [...named, `    *) ${line(shown.options)}`].join('\n');
}

/** Of each command's own options, then of those that stand anywhere. */
function valueLines(shown: Shown): string {
  const top = new Set(shown.options.map(({ name }) => name));
  const own = shown.commands.flatMap(({ name, options }) =>
    options.filter((one) => !top.has(one.name)).map((option) => valueLine(`'${name}:'`, option)),
  );
  return [...own, ...shown.options.map((option) => valueLine("*':'", option))].join('');
}

function valueLine(before: string, option: ShownOption): string {
  if (option.value === undefined) return '';
  const words = spellings(option).map((word) => `${before}${word}`);
  return `    ${words.join(' | ')}) echo '${kindText(option.value.kind)}' ;;\n`;
}

/** Of a command; of a group the second words; of the program the first. */
function argLines(shown: Shown): string {
  const names = shown.commands.map(({ name }) => name.split(' ')).filter(([first]) => first !== '');
  const firsts = [...new Set(names.map(([first = '']) => first))];
  const groups = shown.groups.map((group) => {
    const seconds = names.filter(([first, second]) => first === group && second !== undefined);
    return listLine(
      group,
      seconds.map(([, second = '']) => second),
    );
  });
  const commands = shown.commands.filter(({ name }) => name !== '').map(commandArgs);
  return [listLine('', firsts), ...groups, ...commands].join('');
}

function listLine(command: string, words: readonly string[]): string {
  return `    '${command}:0') echo 'listed ${words.join(' ')}' ;;\n`;
}

function commandArgs({ name, args, more }: ShownCommand): string {
  const lines = args.map((arg, at) => argLine(`'${name}:${at}'`, arg));
  if (more !== undefined) lines.push(argLine(`'${name}:'*`, more));
  return lines.join('');
}

function argLine(pattern: string, { kind }: ShownArg): string {
  return `    ${pattern}) echo '${kindText(kind)}' ;;\n`;
}

function kindText(kind: Kind): string {
  if (kind.is === 'asked') return `asked ${kind.name}`;
  return kind.is === 'listed' ? `listed ${kind.words.join(' ')}` : kind.is;
}
