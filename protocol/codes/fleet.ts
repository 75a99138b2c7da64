// SPDX-License-Identifier: Apache-2.0
// Codes of rollouts, of the fleet's store and of its HTTP API.

import type { CodeEntry } from './entry.js';

export const fleetCodes = {
  ROLLOUT_GATE: {
    retry: 'never',
    blame: 'release',
    about: 'A device of an open wave failed, so the rollout stopped before the next wave.',
    remedy: 'The message names the device and its own code: mend that, and roll out a new release.',
  },
  ROLLOUT_SILENT: {
    retry: 'never',
    blame: 'device',
    about: 'A device did not say before the deadline that the release is good there.',
    remedy: 'See whether the device is connected; give slow devices a longer --deadline.',
  },
  ROLLOUT_UNWELL: {
    retry: 'never',
    blame: 'release',
    about: 'A workload got sick on a device that had called the release good.',
    remedy: 'See `wherry logs` of the workload on the device that the message names.',
  },
  ROLLOUT_UNSURE: {
    retry: 'never',
    blame: 'network',
    about:
      'The wave can neither pass nor fail: its devices could not fetch the release, or have left the rollout.',
    remedy: 'Mend what the message names, then `wherry-fleet rollout resume`, or abort.',
  },
  ROLLOUT_SUPERSEDED: {
    retry: 'never',
    blame: 'operator',
    about: 'A newer rollout took over devices of this one.',
    remedy: 'Nothing; start it again if the newer one was a mistake.',
  },
  ROLLOUT_ABORTED: {
    retry: 'never',
    blame: 'operator',
    about: 'The rollout was aborted by an operator.',
    remedy: 'Nothing; start a new one when wanted.',
  },
  ROLLOUT_EMPTY: {
    retry: 'never',
    blame: 'operator',
    about: 'No device of the fleet matches the selector.',
    remedy: 'See `wherry-fleet device ls` and the labels there.',
  },
  ROLLOUT_PLAN: {
    retry: 'never',
    blame: 'operator',
    about: 'The waves of a rollout are not counts or percents that grow.',
    remedy: 'Give --canary a count and each --wave a larger count or percent than the one before.',
  },
  ROLLOUT_STATE: {
    retry: 'never',
    blame: 'operator',
    about: 'The rollout is in a state that does not allow this: it is paused, running or over.',
    remedy: 'See `wherry-fleet rollout status`.',
  },
  ROLLOUT_UNKNOWN: {
    retry: 'never',
    blame: 'operator',
    about: 'The fleet has no such rollout.',
    remedy: '`wherry-fleet rollout ls` lists those that there are.',
  },
  DEVICE_UNKNOWN: {
    retry: 'never',
    blame: 'operator',
    about: 'The fleet has no such device.',
    remedy: '`wherry-fleet device ls` lists those that there are.',
  },
  DEVICE_REVOKED: {
    retry: 'never',
    blame: 'operator',
    about: 'The device was revoked and gets nothing any more.',
    remedy:
      'Enrol the board anew with a new claim and a new key: `wherry-provision enrol CODE --force`.',
  },
  API_IDENTITY: {
    retry: 'never',
    blame: 'operator',
    about: 'The request needs the certificate of an operator of this fleet.',
    remedy: 'Run the command with the --root whose etc/wherry-fleet/operator holds the identity.',
  },
  API_UNKNOWN: {
    retry: 'never',
    blame: 'operator',
    about: 'The API has no such path or method.',
    remedy: 'The command may be older or newer than the server: use those of one version.',
  },
  API_LARGE: {
    retry: 'never',
    blame: 'operator',
    about: 'The body of a request is longer than the API takes.',
    remedy: 'Send less in one request.',
  },
  API_REPEATED: {
    retry: 'never',
    blame: 'operator',
    about: 'An Idempotency-Key came again with another request.',
    remedy: 'Take a new key for each new request.',
  },
  API_AWAY: {
    retry: 'backoff',
    blame: 'network',
    about: 'The fleet server cannot be reached or did not answer in time.',
    remedy:
      'See that `wherry-fleet serve` runs, and that the endpoint in operator/endpoint.json is right.',
  },
  OPERATOR_ABSENT: {
    retry: 'never',
    blame: 'operator',
    about: "There is no operator's identity under the root.",
    remedy: 'Start `wherry-fleet serve` there once, or give the --root of the fleet.',
  },
  SERVE_DATABASE: {
    retry: 'never',
    blame: 'operator',
    about:
      'The fleet’s database is damaged or gone, and with it who is enrolled and who is revoked.',
    remedy:
      'Put a copy of the file back. Without one, start once with --accept-empty-database: the damaged file is kept as .corrupt, and every device must enrol again.',
  },
  SERVE_LISTEN: {
    retry: 'backoff',
    blame: 'operator',
    about: 'The fleet server cannot listen on an address or port.',
    remedy: 'Take another port, or end the program that holds it.',
  },
} as const satisfies Record<string, CodeEntry>;
