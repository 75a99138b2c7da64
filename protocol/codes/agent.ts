// SPDX-License-Identifier: Apache-2.0
// Codes of this room: agent.

import type { CodeEntry } from './entry.js';

export const agentCodes = {} as const satisfies Record<string, CodeEntry>;
