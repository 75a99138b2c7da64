// SPDX-License-Identifier: Apache-2.0
// What devices say reaches an operator's terminal as text only.

import test from 'ava';
import { errorText, jsonText, table } from '../../adapters/terminal.js';
import { CodedError } from '../../protocol/error.js';

const attack = '\u001b]0;owned\u0007\u001b[2J\u009b1;1Hall is healthy\u202e';

test('attack: terminal escapes of a device do not get through a table, nor does a cell make a row of its own', (t) => {
  const text = table(
    ['ID', 'MESSAGE'],
    [
      ['a', `${attack}\nb  fake`],
      [1, 'ok'],
    ],
  );
  t.is(text.split('\n').length, 3);
  t.notRegex(text.replaceAll('\n', ''), /\p{C}/u);
  t.regex(text, /all is healthy/);
});

test('attack: terminal escapes of a server do not get through an error', (t) => {
  const text = errorText('wherry', new CodedError('CONFIG_BAD', attack));
  t.notRegex(text.replaceAll('\n', ''), /\p{C}/u);
});

test('attack: terminal escapes do not get through JSON, and a reader gets the very same values', (t) => {
  const value = { a: [`${attack}\n\u{e0001}`], 'k\u009b': '😀' };
  const text = jsonText(value);
  t.notRegex(text.replaceAll('\n', ''), /\p{C}/u);
  t.deepEqual(JSON.parse(text), value);
});
