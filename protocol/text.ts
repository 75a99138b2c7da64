// SPDX-License-Identifier: Apache-2.0
// Words of strangers inside our own messages: names of fields, keys, what a device reports. They may be
// long, and may hold what steers a terminal or breaks a log line; here they become short and printable.

/** Characters of a stranger's word that a message repeats. */
export const quotedLengthMax = 64;

const invisible = /\p{C}/gu;

/** Control, format, private and unassigned characters become U+FFFD, but for newline and tab. */
export function printable(text: string): string {
  return text.replace(invisible, (char) => (char === '\n' || char === '\t' ? char : '\u{fffd}'));
}

/** The word for one line of a message: printable, and at most `quotedLengthMax` characters and an ellipsis. */
export function quoted(word: string): string {
  const clipped = word.length <= quotedLengthMax ? word : `${word.slice(0, quotedLengthMax)}\u2026`;
  return oneLine(clipped);
}

/** As `printable`, and newline and tab become blanks. */
export function oneLine(text: string): string {
  return printable(text).replace(/[\n\t]/g, ' ');
}
