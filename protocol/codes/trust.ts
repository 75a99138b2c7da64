// SPDX-License-Identifier: Apache-2.0
// Codes of identity and signatures: claims, enrolment, envelopes.

import type { CodeEntry } from './entry.js';

export const trustCodes = {
  CLAIM_BAD: {
    retry: 'never',
    blame: 'operator',
    about: 'A claim code is not of the right form.',
    remedy: 'Copy the whole code that `wherry-fleet claim create` printed.',
  },
} as const satisfies Record<string, CodeEntry>;
