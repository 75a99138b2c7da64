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
  SEAL_KEY_BAD: {
    retry: 'never',
    blame: 'operator',
    about: 'A key for sealing secrets is not readable or not an X25519 key.',
    remedy: 'Enrol the device again: its key is made then; on the server, restore keys/seal.key.',
  },
  SEAL_BROKEN: {
    retry: 'changed',
    blame: 'operator',
    about: 'A sealed secret is too long, was changed, or was sealed to another key or place.',
    remedy: 'Log in to the registry again with `wherry-fleet registry login`: it is sealed anew.',
  },
  SEALED_REFUSED: {
    retry: 'changed',
    blame: 'operator',
    about: 'A document of sealed secrets is of another device, or older than the one that is kept.',
    remedy: 'Nothing where an old one was replayed; else look at who publishes to the broker.',
  },
} as const satisfies Record<string, CodeEntry>;
