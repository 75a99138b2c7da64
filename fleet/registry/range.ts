// SPDX-License-Identifier: Apache-2.0
// Range and If-Range (RFC 9110 §14.2, §13.1.5), one range only: several are answered with the whole, as the
// standard allows. Pure.

export type Span =
  | { kind: 'whole' }
  | { kind: 'part'; start: number; end: number }
  | { kind: 'unsatisfiable' };

/** `end` is the last byte's place. `etag` is compared strongly with If-Range. */
export function spanOf(
  headers: { range?: string | undefined; ifRange?: string | undefined },
  size: number,
  etag: string,
): Span {
  const { range, ifRange } = headers;
  if (range === undefined) return { kind: 'whole' };
  if (ifRange !== undefined && ifRange !== etag) return { kind: 'whole' };
  return parse(range.trim(), size);
}

/** What is no valid range is ignored, as RFC 9110 §14.2 asks. */
function parse(range: string, size: number): Span {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(range);
  const [first, last] = [match?.[1] ?? '', match?.[2] ?? ''];
  if (first === '' && last === '') return { kind: 'whole' };
  if (first === '') return suffix(Number(last), size);
  const start = Number(first);
  if (last !== '' && Number(last) < start) return { kind: 'whole' };
  if (start >= size) return { kind: 'unsatisfiable' };
  return { kind: 'part', start, end: last === '' ? size - 1 : Math.min(Number(last), size - 1) };
}

function suffix(length: number, size: number): Span {
  if (length === 0 || size === 0) return { kind: 'unsatisfiable' };
  return { kind: 'part', start: Math.max(0, size - length), end: size - 1 };
}
