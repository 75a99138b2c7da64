// SPDX-License-Identifier: Apache-2.0
// Codes of identity: the authority, claims, enrolment, a device's own certificate.

import type { CodeEntry } from './entry.js';

export const trustCodes = {
  AUTHORITY_BAD: {
    retry: 'never',
    blame: 'operator',
    about: "The authority's key or certificate is missing, damaged or of another tenant.",
    remedy:
      'Put the folder that the message names back from a backup; a new one means enrolling again.',
  },
  CLAIM_BAD: {
    retry: 'never',
    blame: 'operator',
    about: 'A claim code is not of the right form.',
    remedy: 'Copy the whole code that `wherry-fleet claim create` printed.',
  },
  CLAIM_UNKNOWN: {
    retry: 'never',
    blame: 'operator',
    about: 'The fleet does not know this claim.',
    remedy:
      'Make a new claim with `wherry-fleet claim create` on the fleet that the device shall join.',
  },
  CLAIM_USED: {
    retry: 'never',
    blame: 'operator',
    about: 'The claim has been used as often as it may be.',
    remedy:
      'Make a new claim; if nobody of yours used this one, revoke it and look at its devices.',
  },
  CLAIM_EXPIRED: {
    retry: 'never',
    blame: 'operator',
    about: 'The claim was not used in time.',
    remedy: 'Make a new claim with `wherry-fleet claim create`.',
  },
  CLAIM_REVOKED: {
    retry: 'never',
    blame: 'operator',
    about: 'The claim was revoked.',
    remedy: 'Make a new claim with `wherry-fleet claim create`.',
  },
  CLAIM_LIMIT: {
    retry: 'backoff',
    blame: 'operator',
    about: 'Too many wrong claims came from this address.',
    remedy: 'Wait ten minutes, then try again with a right code.',
  },
  CSR_BAD: {
    retry: 'never',
    blame: 'device',
    about: 'A certificate request is not PKCS#10, not of a P-256 key or not signed by its own key.',
    remedy: 'Enrol with `wherry-provision enrol`, which makes the request.',
  },
  ENROL_PIN: {
    retry: 'never',
    blame: 'network',
    about: 'The server at the claimed address is not the authority that the claim code pins.',
    remedy:
      'Check address and network: somebody answers in its place, or the code is of another fleet.',
  },
  ENROL_UNREACHABLE: {
    retry: 'backoff',
    blame: 'network',
    about: 'The enrolment server cannot be reached or does not answer in time.',
    remedy: 'Check the network and the address in the code, or use --wait to go on trying.',
  },
  ENROL_REFUSED: {
    retry: 'never',
    blame: 'operator',
    about: 'The enrolment server refused, or answered something that is not an enrolment.',
    remedy: 'Read the reason in the message; the log of wherry-fleet has it too.',
  },
  RENEW_REFUSED: {
    retry: 'backoff',
    blame: 'operator',
    about:
      'The fleet does not renew the certificate: it knows no such device, or revoked it, or its answer does not fit.',
    remedy:
      'Check the device with `wherry-fleet device ls`; what runs goes on, and the link until the certificate ends.',
  },
  IDENTITY_EXISTS: {
    retry: 'never',
    blame: 'operator',
    about: 'This device is enrolled already.',
    remedy: 'Nothing, or enrol again with --force: the device then gets a new key and certificate.',
  },
  IDENTITY_MISSING: {
    retry: 'changed',
    blame: 'operator',
    about: 'This device is not enrolled.',
    remedy: 'Enrol it with `wherry-provision enrol CODE`.',
  },
  IDENTITY_BAD: {
    retry: 'never',
    blame: 'device',
    about: 'Files of the device’s identity are missing, damaged or do not belong together.',
    remedy: 'Enrol the device again with `wherry-provision enrol CODE --force`.',
  },
} as const satisfies Record<string, CodeEntry>;
