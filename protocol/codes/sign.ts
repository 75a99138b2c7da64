// SPDX-License-Identifier: Apache-2.0
// Codes of signatures on envelopes.

import type { CodeEntry } from './entry.js';

export const signCodes = {
  SIGN_UNSIGNED: {
    retry: 'changed',
    blame: 'operator',
    about: 'A document that must be signed carries no signature.',
    remedy: 'Send it as the signed envelope that `wherry-fleet` makes.',
  },
  SIGN_MALFORMED: {
    retry: 'changed',
    blame: 'operator',
    about: 'A signed envelope has a field of the wrong form or passes a bound.',
    remedy: 'Mend the field that the message names; docs/protocol.md has the form.',
  },
  SIGN_TYPE: {
    retry: 'changed',
    blame: 'operator',
    about: 'A signed envelope holds another kind of document than the place asks for.',
    remedy: 'Find out who sent it: a signature for one kind never counts for another.',
  },
  SIGN_UNTRUSTED: {
    retry: 'changed',
    blame: 'operator',
    about: 'No signature of the envelope is by a key that is trusted for this role.',
    remedy: 'Sign with the key given at enrolment, or enrol the device again after a key change.',
  },
  SIGN_INVALID: {
    retry: 'changed',
    blame: 'operator',
    about: 'A signature that names a trusted key does not fit the payload: it was changed.',
    remedy: 'Do not trust the sender; publish the document again from the signing host.',
  },
  SIGN_KEY_BAD: {
    retry: 'never',
    blame: 'operator',
    about: 'A key is not readable or not an Ed25519 key.',
    remedy: 'Give a PEM file that `wherry-fleet` or `wherry-image` made.',
  },
} as const satisfies Record<string, CodeEntry>;
