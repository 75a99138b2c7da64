// SPDX-License-Identifier: Apache-2.0
// Variables in texts and in environment files, as Compose has them, and what is refused.

import test from 'ava';
import fc from 'fast-check';
import { EnvFileError, parseEnvFile } from '../../../fleet/release/env-file.js';
import { InterpolationError, interpolate } from '../../../fleet/release/interpolate.js';
import { releaseVariables } from '../../../fleet/release/variables.js';

const values: Readonly<Record<string, string>> = { A: 'a', EMPTY: '', B: 'b b' };
const lookup = (name: string): string | undefined => values[name];
const text = (written: string): string => interpolate(written, lookup).join('');

for (const [written, expected] of [
  ['$A', 'a'],
  ['x$A-y', 'xa-y'],
  ['\u0024{A}b', 'ab'],
  ['$$A', '$A'],
  ['$$$A', '$a'],
  ['\u0024{NONE:-d}', 'd'],
  ['\u0024{EMPTY:-d}', 'd'],
  ['\u0024{EMPTY-d}', ''],
  ['\u0024{NONE-d}', 'd'],
  ['\u0024{A:-d}', 'a'],
  ['\u0024{A:?no}', 'a'],
  ['\u0024{A:+alt}', 'alt'],
  ['\u0024{NONE:+alt}', ''],
  ['\u0024{EMPTY+alt}', 'alt'],
  ['\u0024{EMPTY:+alt}', ''],
  ['\u0024{NONE:-\u0024{OTHER:-\u0024{A}}}', 'a'],
  ['\u0024{A:-\u0024{NONE}}', 'a'],
  ['\u0024{NONE:-}', ''],
  ['', ''],
] as const) {
  test(`'${written}' gives '${expected}'`, (t) => {
    t.is(text(written), expected);
  });
}

for (const [written, expected] of [
  ['$NONE', /NONE has no value/],
  ['\u0024{NONE:?give it}', /NONE has no value: give it/],
  ['\u0024{EMPTY:?give it}', /give it/],
  ['$', /begins a variable/],
  ['5$', /begins a variable/],
  ['$1', /begins a variable/],
  ['\u0024{A', /neither \}/],
  ['\u0024{A:-x', /not closed/],
  ['\u0024{}', /begins a variable/],
  ['\u0024{A!x}', /neither \}/],
  ['\u0024{WHERRY_OTHER}', /no variable of a device/],
  ['\u0024{WHERRY_VAR_A:+x}', /not :\+/],
  ['\u0024{WHERRY_VAR_A:-\u0024{WHERRY_DEVICE}}', /must not need a device/],
  [`${'\u0024{N:-'.repeat(20)}${'}'.repeat(20)}`, /nested deeper/],
] as const) {
  test(`'${written.slice(0, 40)}' is refused`, (t) => {
    const error = t.throws(() => text(written), { instanceOf: InterpolationError });
    t.regex(error?.message ?? '', expected);
  });
}

test('any text with its dollars doubled comes back as it was', (t) => {
  fc.assert(fc.property(fc.string(), (any) => text(any.replaceAll('$', '$$$$')) === any));
  t.pass();
});

test('any text ends with parts or an error of ours, whatever is in it', (t) => {
  const pieces = fc.constantFrom('$', '{', '}', ':-', '?', '+', 'A', 'WHERRY_DEVICE', 'NONE', ' ');
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 30 }), (words) => {
      try {
        interpolate(words.join(''), lookup);
      } catch (error) {
        return error instanceof InterpolationError;
      }
      return true;
    }),
  );
  t.pass();
});

test('environment files: quotes, comments, export, several lines, variables of the lines above', (t) => {
  const file = [
    '# comment',
    '',
    'A1=plain # comment',
    'export B1 = "two $A1\\n\\$x"',
    "C1='as $it is'",
    'D1=\u0024{A1}#no comment',
    'E1="over',
    'lines"',
    'F1=',
    'G1',
    'H1: yaml',
  ].join('\r\n');
  const found = parseEnvFile(file, (name) => (name === 'it' ? 'wrong' : undefined));
  t.deepEqual(
    found.map(({ key, value }) => [key, value?.join('')]),
    [
      ['A1', 'plain'],
      ['B1', 'two plain\n$x'],
      ['C1', 'as $it is'],
      ['D1', 'plain#no comment'],
      ['E1', 'over\nlines'],
      ['F1', ''],
      ['G1', undefined],
      ['H1', 'yaml'],
    ],
  );
  t.deepEqual(parseEnvFile('A="x $Y"', () => undefined, true)[0]?.value, ['"x $Y"']);
});

test('a line that is none is refused with its number, and so is a huge file', (t) => {
  const error = t.throws(() => parseEnvFile('A=1\n\n=x\n', lookup), { instanceOf: EnvFileError });
  t.is(error?.line, 3);
  t.throws(() => parseEnvFile('A'.repeat(70_000), lookup), { instanceOf: EnvFileError });
  const many = Array.from({ length: 300 }, (_, at) => `V${at}=1`).join('\n');
  t.throws(() => parseEnvFile(many, lookup), { message: /more than 256/ });
});

test('the release’s variables: later files and single words win; names of the device are refused', (t) => {
  const files = [
    { file: 'a.env', text: 'A=1\nB=2' },
    { file: 'b.env', text: 'B=3$A' },
  ];
  t.deepEqual(
    [...releaseVariables(files, ['A=x=y'])],
    [
      ['A', 'x=y'],
      ['B', '31'],
    ],
  );
  t.throws(() => releaseVariables([], ['WHERRY_DEVICE=x']), { code: 'USAGE' });
  t.throws(() => releaseVariables([], ['A']), { code: 'USAGE' });
  t.throws(() => releaseVariables([{ file: 'c.env', text: 'A=\n1' }], []), {
    message: /^c\.env:2: /,
  });
});
