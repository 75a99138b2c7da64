// SPDX-License-Identifier: Apache-2.0
// Codes of the native programs; native/shared/error.c prints the same words.

import type { CodeEntry } from './entry.js';

export const boxCodes = {
  BOX_FAILED: {
    retry: 'backoff',
    blame: 'device',
    about: 'A native program ended without saying why.',
    remedy: 'See the log for its last output; a signal there is a bug worth reporting.',
  },
  BOX_SYSTEM: {
    retry: 'backoff',
    blame: 'device',
    about: 'A system call failed that the runtime needs.',
    remedy: 'The message names the call; check the kernel and the limits of the process.',
  },
  BOX_MEMORY: {
    retry: 'backoff',
    blame: 'device',
    about: 'A native program found no memory.',
    remedy: 'Free memory, or give the workload a lower limit.',
  },
  BOX_SPEC: {
    retry: 'changed',
    blame: 'release',
    about: 'config.json, keep.json or an argument is not acceptable to the runtime.',
    remedy: 'Mend the field that the message names.',
  },
  BOX_ID: {
    retry: 'never',
    blame: 'operator',
    about: 'A container id has characters that are not allowed.',
    remedy: 'Use letters, digits and _ + . - only.',
  },
  BOX_EXISTS: {
    retry: 'soon',
    blame: 'device',
    about: 'A container of that id exists already.',
    remedy: 'Delete it first, or take another id.',
  },
  BOX_ABSENT: {
    retry: 'soon',
    blame: 'device',
    about: 'There is no container of that id.',
    remedy: '`wherry ps` lists those that there are.',
  },
  BOX_STATE: {
    retry: 'soon',
    blame: 'device',
    about: 'The container is not in the state that the verb needs.',
    remedy: 'See `wherry-run state ID`.',
  },
  BOX_NAMESPACE: {
    retry: 'backoff',
    blame: 'device',
    about: 'A namespace could not be made or joined.',
    remedy: 'Check that the kernel has the namespace that the message names.',
  },
  BOX_MOUNT: {
    retry: 'backoff',
    blame: 'device',
    about: 'A mount of the container failed.',
    remedy: 'The message names the mount; check its source and the kernel.',
  },
  BOX_ROOTFS: {
    retry: 'backoff',
    blame: 'device',
    about: 'The root file system could not be set up: overlay or pivot_root.',
    remedy: 'Check that the kernel has overlayfs and that the layers are there.',
  },
  BOX_CGROUP: {
    retry: 'backoff',
    blame: 'device',
    about: 'A cgroup could not be made or a limit not be set.',
    remedy: 'The message names the file; check that the controller is there.',
  },
  BOX_CAPABILITY: {
    retry: 'changed',
    blame: 'release',
    about: 'A capability set could not be applied.',
    remedy: 'Ask for capabilities that the kernel knows and the device has.',
  },
  BOX_SECCOMP: {
    retry: 'changed',
    blame: 'release',
    about: 'A seccomp filter could not be built or loaded.',
    remedy: 'Check the profile; the message names the rule.',
  },
  BOX_RLIMIT: {
    retry: 'changed',
    blame: 'release',
    about: 'A resource limit could not be set.',
    remedy: 'Without CAP_SYS_RESOURCE a hard limit can only be lowered.',
  },
  BOX_NET: {
    retry: 'backoff',
    blame: 'device',
    about: 'A link, an address or a route of the container could not be made.',
    remedy: 'The message names the object; check for a clash of names or subnets.',
  },
  BOX_EXEC: {
    retry: 'changed',
    blame: 'release',
    about: 'The program of the container cannot be executed.',
    remedy: 'Check entrypoint, command and the platform of the image.',
  },
  BOX_KEEP: {
    retry: 'backoff',
    blame: 'device',
    about: 'The keeper could not hold its lock, socket or log.',
    remedy: 'The message names the file; another keeper may hold it.',
  },
} as const satisfies Record<string, CodeEntry>;
