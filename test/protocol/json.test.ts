import test from 'ava';
import { CodedError } from '../../protocol/error.js';
import { parseJson } from '../../protocol/json.js';

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
