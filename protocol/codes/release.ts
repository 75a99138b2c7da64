// SPDX-License-Identifier: Apache-2.0
// Codes of this room: release.

import type { CodeEntry } from './entry.js';

export const releaseCodes = {} as const satisfies Record<string, CodeEntry>;
