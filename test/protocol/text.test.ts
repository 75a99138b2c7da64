// SPDX-License-Identifier: Apache-2.0
// What strangers may say in our messages: short and printable.

import test from 'ava';
import { integer, object, record, string } from '../../protocol/check.js';
import { CodedError } from '../../protocol/error.js';
import { oneLine, printable, quoted } from '../../protocol/text.js';

test('Control and format characters become a sign, newline and tab stay where lines are meant', (t) => {
  t.is(printable('a\u001b[2J\u009b1m\u202eb\n\tc\u007f'), 'a\ufffd[2J\ufffd1m\ufffdb\n\tc\ufffd');
  t.is(oneLine('a\nb\tc'), 'a b c');
  t.is(printable('Grüße, 東京 😀'), 'Grüße, 東京 😀');
  t.is(quoted('x'.repeat(64)), 'x'.repeat(64));
  t.is(quoted(`${'x'.repeat(63)}😀`), `${'x'.repeat(63)}\ufffd…`);
});

test('attack: an unknown field with a name of 200 KiB or with terminal escapes makes a short plain refusal', (t) => {
  for (const name of ['k'.repeat(200_000), '\u001b]0;owned\u0007\n{"level":"info"}']) {
    for (const check of [
      object({ a: integer(0, 1) }),
      object({ a: record(string({ pattern: /^[a-z]{1,8}$/ }), integer(0, 1), 4) }),
    ]) {
      const given = [{ [name]: 1 }, { a: { [name]: 1 } }];
      for (const value of given) {
        const error = t.throws(() => check(value, 'doc'), { instanceOf: CodedError });
        t.true((error?.message.length ?? 999) < 200, error?.message.slice(0, 300));
        t.notRegex(error?.message ?? '', /\p{C}/u);
        t.notRegex(String(error?.facts['path']), /\p{C}/u);
        t.true(String(error?.facts['path']).length < 100);
      }
    }
  }
});
