// SPDX-License-Identifier: Apache-2.0
// The one error class of Wherry. A CodedError says what failed, where and with which facts; its code
// is API: it crosses the wire in reported conditions, is never renamed and stands in docs/errors.md.
// It decides nothing: the loop reads `retry`, the rollout gate reads `blame`, both from codes.ts.

import type { Code } from './codes.js';

/** Flat and printable: digests, paths, errno names, byte counts. */
export type Facts = Readonly<Record<string, string | number | boolean>>;

export class CodedError extends Error {
  override readonly name = 'CodedError';
  readonly code: Code;
  readonly facts: Facts;

  constructor(code: Code, message: string, facts: Facts = {}, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.facts = facts;
  }
}

/** The code of any thrown value; what carries none is our own mistake and maps to `BUG`. */
export function codeOf(error: unknown): Code {
  return error instanceof CodedError ? error.code : 'BUG';
}

/** The message of any thrown value, without a stack. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
