// SPDX-License-Identifier: Apache-2.0
// Codes of agent/run and agent/local: bundles, keepers, links, the local socket.

import type { CodeEntry } from './entry.js';

export const runCodes = {
  RUN_COMMAND: {
    retry: 'changed',
    blame: 'release',
    about: 'Neither the workload nor its image says what to run.',
    remedy: 'Give the workload an entrypoint or a command.',
  },
  RUN_USER: {
    retry: 'changed',
    blame: 'release',
    about: 'The user or group is not in the image, or is not of the form user[:group].',
    remedy: 'Name a user of the image, or give numbers.',
  },
  RUN_LABEL: {
    retry: 'changed',
    blame: 'release',
    about: 'A label uses the prefix io.wherry., which the runtime keeps for itself.',
    remedy: 'Rename the label.',
  },
  RUN_VOLUME: {
    retry: 'changed',
    blame: 'release',
    about: 'A volume has no name, or a name that is not allowed.',
    remedy: 'Use letters, digits, dot, underscore and dash, starting with a letter or digit.',
  },
  RUN_BIND: {
    retry: 'backoff',
    blame: 'release',
    about:
      'The source of a bind mount is not on this device, or in no folder that it allows binds from.',
    remedy: 'Make the file or folder that the message names, or take the mount out.',
  },
  RUN_SECCOMP: {
    retry: 'changed',
    blame: 'release',
    about: 'The image is of an architecture that has no seccomp policy here.',
    remedy: 'Use an image of amd64, 386, arm64, arm or riscv64.',
  },
  RUN_IMAGE_PATH: {
    retry: 'changed',
    blame: 'release',
    about: 'A path in the image leads nowhere: too many symbolic links, or not a plain file.',
    remedy: 'Build the image anew; the message names the path.',
  },
  RUN_ADDRESS: {
    retry: 'backoff',
    blame: 'device',
    about: 'Every address of the container subnet is taken.',
    remedy: 'Remove containers that are no longer needed.',
  },
  RUN_PORT_TAKEN: {
    retry: 'backoff',
    blame: 'release',
    about: 'Another running container publishes the same port.',
    remedy: 'Publish another port, or stop the container that the message names.',
  },
  RUN_PORT_HOST: {
    retry: 'changed',
    blame: 'release',
    about: 'A port is published on an address that is not IPv4.',
    remedy: 'Use an IPv4 address of the device, or leave the address out.',
  },
  RUN_NETWORK: {
    retry: 'backoff',
    blame: 'device',
    about: 'The rules for published ports could not be set.',
    remedy: 'Check that nft is installed and that the kernel has nf_tables with NAT.',
  },
  RUN_KEEPER: {
    retry: 'backoff',
    blame: 'device',
    about: 'A keeper did not start, or does not answer.',
    remedy: 'See keeper.err in the container folder that the message names.',
  },
  RUN_START: {
    retry: 'backoff',
    blame: 'release',
    about: 'The container could not be started.',
    remedy: 'The message has the words of the runtime.',
  },
  RUN_ABSENT: {
    retry: 'changed',
    blame: 'operator',
    about: 'There is no such container or workload on this device.',
    remedy: '`wherry ps -a` lists what there is.',
  },
  RUN_RECORD: {
    retry: 'backoff',
    blame: 'device',
    about: 'The record of a container cannot be read.',
    remedy: 'The container is made anew; its volumes are kept.',
  },
  AGENT_AWAY: {
    retry: 'soon',
    blame: 'operator',
    about: 'The agent does not answer on its socket.',
    remedy:
      'Start wherryd, or check --root; `wherry ps`, `wherry logs` and `wherry exec` work without it.',
  },
  LOCAL_TAKEN: {
    retry: 'never',
    blame: 'operator',
    about: 'Another agent answers on the local socket already.',
    remedy: 'Stop it first, or start this one with another --root.',
  },
  LOCAL_REQUEST: {
    retry: 'never',
    blame: 'operator',
    about: 'A request on the local socket is of no form that it knows.',
    remedy: 'Use the wherry program of the same version as the agent.',
  },
} as const satisfies Record<string, CodeEntry>;
