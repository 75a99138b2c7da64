// SPDX-License-Identifier: Apache-2.0
// Codes of the MQTT link and its payloads.

import type { CodeEntry } from './entry.js';

export const linkCodes = {} as const satisfies Record<string, CodeEntry>;
