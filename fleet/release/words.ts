// SPDX-License-Identifier: Apache-2.0
// Splits a command written as one string, as Compose does: the quoting of a POSIX shell and nothing else of
// it. No variables, no globs, no operators: `a && b` gives the word &&.

/** Blanks, '…', "…", an escaped letter, or ordinary letters. */
const piece = /(\s+)|'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)|([^\s'"\\]+)/gsy;

/** The words, or undefined where a quote or a backslash is left open. */
export function splitWords(text: string): string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  let end = 0;
  for (const match of text.matchAll(piece)) {
    end = match.index + match[0].length;
    const [, blanks, single, double, escaped, plain] = match;
    if (blanks === undefined) {
      word = (word ?? '') + (single ?? plain ?? keep(escaped) ?? unquoted(double ?? ''));
    } else if (word !== undefined) {
      words.push(word);
      word = undefined;
    }
  }
  if (end < text.length) return undefined;
  return word === undefined ? words : [...words, word];
}

/** A backslash before a line's end joins the lines. */
function keep(escaped: string | undefined): string | undefined {
  return escaped === '\n' ? '' : escaped;
}

/** POSIX shell §2.2.3: inside double quotes a backslash keeps its place before ordinary letters. */
function unquoted(text: string): string {
  return text.replaceAll(/\\([$`"\\\n])/g, (_, letter: string) => (letter === '\n' ? '' : letter));
}
