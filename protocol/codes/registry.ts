// SPDX-License-Identifier: Apache-2.0
// Codes of the registry client and of the embedded registry.

import type { CodeEntry } from './entry.js';

export const registryCodes = {} as const satisfies Record<string, CodeEntry>;
