// SPDX-License-Identifier: Apache-2.0
// Every error code with what the machine and the person do about it. One file a room under codes/;
// this file only joins them. docs/errors.md is written from this table (make docs).

import { agentCodes } from './codes/agent.js';
import { boxCodes } from './codes/box.js';
import type { CodeEntry } from './codes/entry.js';
import { fleetCodes } from './codes/fleet.js';
import { generalCodes } from './codes/general.js';
import { imageCodes } from './codes/image.js';
import { linkCodes } from './codes/link.js';
import { registryCodes } from './codes/registry.js';
import { releaseCodes } from './codes/release.js';
import { runCodes } from './codes/run.js';
import { signCodes } from './codes/sign.js';
import { trustCodes } from './codes/trust.js';

export type { Blame, CodeEntry, Retry } from './codes/entry.js';

export const codes = {
  ...generalCodes,
  ...agentCodes,
  ...boxCodes,
  ...imageCodes,
  ...releaseCodes,
  ...linkCodes,
  ...registryCodes,
  ...runCodes,
  ...signCodes,
  ...trustCodes,
  ...fleetCodes,
} as const satisfies Record<string, CodeEntry>;

export type Code = keyof typeof codes;

export function isCode(value: string): value is Code {
  return Object.hasOwn(codes, value);
}

export function entryOf(code: Code): CodeEntry {
  return codes[code];
}
