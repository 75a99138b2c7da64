// SPDX-License-Identifier: Apache-2.0
// Codes of this room: fleet.

import type { CodeEntry } from './entry.js';

export const fleetCodes = {} as const satisfies Record<string, CodeEntry>;
