// SPDX-License-Identifier: Apache-2.0
// Codes of Compose files and of the releases made from them, and of what a device refuses of a release's keys.

import type { CodeEntry } from './entry.js';

export const releaseCodes = {
  COMPOSE_FILE: {
    retry: 'never',
    blame: 'operator',
    about: 'The Compose file cannot be read, or is not YAML within the bounds.',
    remedy: 'Mend the line that the message names.',
  },
  COMPOSE_KEY: {
    retry: 'never',
    blame: 'operator',
    about: 'The Compose file has a key that Wherry does not know, or lacks one that it needs.',
    remedy: 'Remove or add the key; the message names those that are allowed there.',
  },
  COMPOSE_VALUE: {
    retry: 'never',
    blame: 'operator',
    about: 'A key of the Compose file has a value that is not allowed there.',
    remedy: 'Write it in one of the forms that the message names.',
  },
  COMPOSE_REFERENCE: {
    retry: 'never',
    blame: 'operator',
    about:
      'The Compose file names a service or volume that it does not have, or services wait for each other in a ring.',
    remedy: 'Declare what is named, or break the ring.',
  },
  COMPOSE_REFUSED: {
    retry: 'never',
    blame: 'operator',
    about:
      'The Compose file has a key that Compose knows and that has no meaning on a fleet of devices.',
    remedy: 'The message says why, and what to write instead.',
  },
  COMPOSE_VARIABLE: {
    retry: 'never',
    blame: 'operator',
    about: 'A variable of the Compose file has no value, or is not written as Compose has it.',
    remedy:
      'Give it with --var, --env-file or a .env file, or write a default: NAME:-value in the braces.',
  },
  RELEASE_LARGE: {
    retry: 'never',
    blame: 'operator',
    about: 'The release is larger than a device takes over MQTT.',
    remedy: 'Split it into fewer workloads, or move long environment values into the image.',
  },
  RELEASE_COUNTER: {
    retry: 'never',
    blame: 'operator',
    about: 'The counter of the release is not above the last one of its app.',
    remedy: 'Make the release anew; `wherry-fleet release create` takes the next counter itself.',
  },
  RELEASE_EXISTS: {
    retry: 'never',
    blame: 'operator',
    about: 'The app has another release of that version already; releases never change.',
    remedy: 'Take another --version.',
  },
  RELEASE_UNKNOWN: {
    retry: 'never',
    blame: 'operator',
    about: 'The fleet has no such release.',
    remedy: '`wherry-fleet release ls` lists those that there are.',
  },
  VARIABLE_UNKNOWN: {
    retry: 'never',
    blame: 'operator',
    about: 'There is no such variable for that device or selector.',
    remedy: '`wherry-fleet device variables` lists what is set, and where.',
  },
  VARIABLE_LARGE: {
    retry: 'never',
    blame: 'operator',
    about: 'The variables of a device are more than its assignment carries.',
    remedy: 'Unset some, or shorten them; 64 variables and 4 KiB are the bounds.',
  },
  PLAN_VARIABLE: {
    retry: 'changed',
    blame: 'operator',
    about: 'The release needs a variable that this device does not have.',
    remedy: 'Set it with `wherry-fleet device set`, or give it a default in the Compose file.',
  },
  PLAN_NETWORK: {
    retry: 'changed',
    blame: 'release',
    about: 'What a workload says about its network contradicts itself, or names what is not there.',
    remedy: 'The message names workload and key; make a mended release.',
  },
  PLAN_CONFIG: {
    retry: 'changed',
    blame: 'release',
    about: 'A workload uses a config that its release does not have.',
    remedy: 'Make the release from its Compose file with `wherry-fleet release create`.',
  },
  POLICY_NETWORK: {
    retry: 'changed',
    blame: 'operator',
    about: 'The release wants the device’s own network, which this device’s policy forbids.',
    remedy: 'Set allowHostNetwork in the device’s policy.json, or publish ports instead.',
  },
  POLICY_CAPABILITY: {
    retry: 'changed',
    blame: 'operator',
    about: 'The release adds a capability that this device’s policy does not list.',
    remedy: 'Add it to allowCapabilities in the device’s policy.json, or drop it.',
  },
  POLICY_SYSCTL: {
    retry: 'changed',
    blame: 'operator',
    about: 'The release sets kernel settings, which this device’s policy forbids.',
    remedy: 'Set allowSysctls in the device’s policy.json, or leave sysctls out.',
  },
  POLICY_SECCOMP: {
    retry: 'changed',
    blame: 'operator',
    about: 'The release replaces the system-call filter, which this device’s policy forbids.',
    remedy: 'Set allowSeccomp in the device’s policy.json, or leave seccomp out of security_opt.',
  },
  RUN_LIMIT: {
    retry: 'changed',
    blame: 'release',
    about: 'A limit is beyond what the agent itself may set on this device.',
    remedy:
      'Lower it to the bound in the message, or raise the agent’s own (LimitNOFILE= and the like).',
  },
  RUN_DEVICE: {
    retry: 'backoff',
    blame: 'device',
    about: 'A device that a workload asks for is not there, or is none.',
    remedy: 'Plug it in, or mend the path; stable names are under /dev/serial/by-id and the like.',
  },
  RUN_UNMET: {
    retry: 'changed',
    blame: 'release',
    about: 'The release asks for something that the agent of this version does not do.',
    remedy: 'Update the agent, or leave out what the message names.',
  },
  RUN_CONFIG: {
    retry: 'changed',
    blame: 'release',
    about: 'A workload uses a config that did not come with its release.',
    remedy: 'Make the release anew; the message names the config.',
  },
} as const satisfies Record<string, CodeEntry>;
