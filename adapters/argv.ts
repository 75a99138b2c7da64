// SPDX-License-Identifier: Apache-2.0
// Where the words of a command line stand: which are options, which are an option's value, which are neither.
// Pure; it refuses nothing, that is the parser's.

export interface Shape {
  readonly type: 'string' | 'boolean';
  readonly short?: string;
}
type Shapes = Readonly<Record<string, Shape>>;

/** Places in `argv` of the words that are neither options nor an option's value, up to `--`. */
export function placesOfWords(argv: readonly string[], options: Shapes): readonly number[] {
  const places: number[] = [];
  for (let at = 0; at < argv.length; at += 1) {
    const word = argv[at] ?? '';
    if (word === '--') break;
    if (word === '-' || !word.startsWith('-')) places.push(at);
    else if (takesNext(word, options)) at += 1;
  }
  return places;
}

/** Puts `--` behind word number `count` that is no option, as a person leaves it out: `exec web ls -l`. */
export function endOptionsAfter(
  argv: readonly string[],
  options: Shapes,
  count: number,
): readonly string[] {
  const at = placesOfWords(argv, options)[count - 1];
  if (at === undefined || argv[at + 1] === '--') return argv;
  return [...argv.slice(0, at + 1), '--', ...argv.slice(at + 1)];
}

/** The words before `--`. */
export function beforeDashes(argv: readonly string[]): readonly string[] {
  const end = argv.indexOf('--');
  return end < 0 ? argv : argv.slice(0, end);
}

/** `--user X` and `-u X`, also at the end of a bundle: `-itu X`. `--user=X` and `-uX` bring their value along. */
function takesNext(word: string, options: Shapes): boolean {
  if (word.startsWith('--')) {
    return !word.includes('=') && options[word.slice(2)]?.type === 'string';
  }
  const letters = [...word.slice(1)];
  const valued = letters.findIndex((letter) =>
    Object.values(options).some((one) => one.short === letter && one.type === 'string'),
  );
  return valued >= 0 && valued === letters.length - 1;
}
