// SPDX-License-Identifier: Apache-2.0
// Codes of agent/run: bundles, keepers, links.

import type { CodeEntry } from './entry.js';

export const runCodes = {} as const satisfies Record<string, CodeEntry>;
