// SPDX-License-Identifier: Apache-2.0
// `wherry exec WORKLOAD CMD...`: what stands behind the workload belongs to the command, dashes and all. This
// puts the `--` there that a person leaves out. Pure.

import type { Option } from '../../adapters/command.js';

type Options = Readonly<Record<string, Option>>;

/** The words with `--` behind the workload of `exec`; other commands and a `--` that is there stay as they are. */
export function endOptionsOf(
  words: readonly string[],
  globals: Options,
  exec: Options,
): readonly string[] {
  const options = { ...globals, ...exec };
  const places: number[] = [];
  for (let at = 0; at < words.length && places.length < 2; at += 1) {
    const word = words[at] ?? '';
    if (word === '--') return words;
    if (!word.startsWith('-')) places.push(at);
    else if (takesNext(word, options)) at += 1;
  }
  const [command, workload] = places;
  if (command === undefined || workload === undefined || words[command] !== 'exec') return words;
  const rest = words.slice(workload + 1);
  return rest[0] === '--' ? words : [...words.slice(0, workload + 1), '--', ...rest];
}

/** `--user X` and `-u X`, also at the end of a bundle: `-itu X`. `--user=X` and `-uX` bring their value along. */
function takesNext(word: string, options: Options): boolean {
  if (word.startsWith('--')) {
    return !word.includes('=') && options[word.slice(2)]?.type === 'string';
  }
  const letters = [...word.slice(1)];
  const valued = letters.findIndex((letter) =>
    Object.values(options).some((one) => one.short === letter && one.type === 'string'),
  );
  return valued >= 0 && valued === letters.length - 1;
}
