import test from 'ava';
import { CodedError } from '../../protocol/error.js';
import { jsonValuesMax, parseJson } from '../../protocol/json.js';

function refused(t: import('ava').ExecutionContext, text: string, about: RegExp): void {
  const error = t.throws(() => parseJson(text, 'doc'), { instanceOf: CodedError });
  t.is(error?.code, 'JSON_BAD');
  t.regex(error?.message ?? '', about);
}

test('plain JSON is read', (t) => {
  t.deepEqual(parseJson('{"a":[1,{"b":"x:y","c":"{"}],"d":null}', 'doc'), {
    a: [1, { b: 'x:y', c: '{' }],
    d: null,
  });
});

test('the same key may stand in two objects', (t) => {
  t.deepEqual(parseJson('[{"a":1},{"a":{"a":2}}]', 'doc'), [{ a: 1 }, { a: { a: 2 } }]);
});

test('a key twice in one object is refused, also when it is escaped', (t) => {
  refused(t, '{"a":1,"a":2}', /twice/);
  refused(t, '{"a":1,"\\u0061":2}', /twice/);
});

test('a key named __proto__ is refused', (t) => {
  refused(t, '{"__proto__":{"x":1}}', /__proto__/);
  refused(t, '{"\\u005f_proto__":{"x":1}}', /__proto__/);
});

test('NUL and lone surrogates are refused', (t) => {
  refused(t, '{"a":"\\u0000"}', /NUL/);
  refused(t, '{"a":"\\ud800"}', /surrogate/);
  t.deepEqual(parseJson('{"a":"\\ud83d\\ude00"}', 'doc'), { a: '😀' });
});

test('depth and size are bounded', (t) => {
  refused(t, '['.repeat(33) + ']'.repeat(33), /nested deeper/);
  t.notThrows(() => parseJson('['.repeat(32) + ']'.repeat(32), 'doc'));
  refused(t, `"${'x'.repeat(300_000)}"`, /longer than/);
});

test('what is not JSON is refused with its place', (t) => {
  refused(t, '{"a":1', /doc/);
  refused(t, '', /doc/);
  refused(t, '{"a":"\n"}', /doc/);
  refused(t, '{a:1}', /doc/);
});

/** Milliseconds that a refusal takes. */
function refusalMs(t: import('ava').ExecutionContext, text: string, about: RegExp): number {
  const beganAt = performance.now();
  refused(t, text, about);
  return performance.now() - beganAt;
}

test('attack: 256 KiB of escaped quotes, of unclosed strings and of backslashes are refused in linear time', (t) => {
  const half = 128 * 1024;
  for (const text of [
    '\\"'.repeat(half),
    `{}${'\\"'.repeat(half - 1)}`,
    `"${'\\\\'.repeat(half - 1)}`,
  ]) {
    const ms = refusalMs(t, text, /doc/);
    t.true(ms < 500, `${text.slice(0, 6)}… took ${ms} ms`);
  }
  t.true(refusalMs(t, `["${'" '.repeat(half - 2)}`, /doc/) < 500);
});

test('attack: a document of many small values is refused before it fills the heap', (t) => {
  for (const [open, value, close] of [
    ['[', '{}', ']'],
    ['[', '[]', ']'],
    ['{"a":[', '1', ']}'],
  ] as const) {
    const many = (count: number): string => open + Array(count).fill(value).join(',') + close;
    refused(t, many(jsonValuesMax), /more than 100000 values|longer than/);
    t.throws(() => parseJson(many(11), 'doc', { valuesMax: 10 }), {
      message: /more than 10 values/,
    });
    t.notThrows(() => parseJson(many(4), 'doc', { valuesMax: 10 }));
  }
  refused(t, `[${'1,'.repeat(jsonValuesMax)}1]`, /more than 100000 values/);
  t.notThrows(() => parseJson(JSON.stringify({ a: ','.repeat(200_000) }), 'doc'));
});

test('attack: a key of 100 KiB and one with terminal escapes are named short and printable', (t) => {
  const long = 'k'.repeat(100_000);
  const error = t.throws(() => parseJson(`{"${long}":1,"${long}":2}`, 'doc'));
  t.true((error?.message.length ?? 999) < 120);
  refused(t, '{"\\u001b[2J":1,"\\u001b[2J":2}', /^[^\p{C}]*twice$/u);
  refused(t, '{"\u{9b}2J', /^[^\p{C}]*$/u);
});
