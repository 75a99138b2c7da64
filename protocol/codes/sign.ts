// SPDX-License-Identifier: Apache-2.0
// Codes of signatures on envelopes.

import type { CodeEntry } from './entry.js';

export const signCodes = {} as const satisfies Record<string, CodeEntry>;
