// SPDX-License-Identifier: Apache-2.0
// Errors of a Compose file: each names file, line, key and what is allowed there.

import type { Code } from '../../protocol/codes.js';
import { CodedError } from '../../protocol/error.js';

/** A place in the file: `key` is the path of keys to it, services.web.ports[0]. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly key: string;
}

type ComposeCode = Extract<Code, `COMPOSE_${string}`>;

export function fault(code: ComposeCode, place: Place, what: string): CodedError {
  const { file, line, key } = place;
  const at = key === '' ? `${file}:${line}` : `${file}:${line}: ${key}`;
  return new CodedError(code, `${at}: ${what}`, { file, line, key });
}

/** A value that is not allowed; `allowed` completes "must be …". @throws COMPOSE_VALUE */
export function refuse(place: Place, allowed: string): never {
  throw fault('COMPOSE_VALUE', place, `must be ${allowed}`);
}
