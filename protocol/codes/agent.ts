// SPDX-License-Identifier: Apache-2.0
// Codes of the agent's loop: what it refuses to take as desired, what a plan refuses to do, and how a
// release fails its gate.

import type { CodeEntry } from './entry.js';

export const agentCodes = {
  AGENT_RUNNING: {
    retry: 'never',
    blame: 'operator',
    about: 'Another agent already works in this root.',
    remedy: 'Stop the other wherryd, or give this one another --root.',
  },
  AGENT_CUT_OFF: {
    retry: 'backoff',
    blame: 'device',
    about: 'The agent ended in the middle of this step: a power cut, a kill, or no memory left.',
    remedy: 'Nothing after a power cut. If it comes back, see the log for how the agent ended.',
  },
  AGENT_UNENROLLED: {
    retry: 'changed',
    blame: 'operator',
    about: 'The device has no identity yet, so it has no link to a fleet.',
    remedy: 'Enrol it: `wherry-provision enrol CLAIM`; what is on the device runs meanwhile.',
  },
  DESIRED_FORM: {
    retry: 'changed',
    blame: 'release',
    about: 'An assignment or a release is not of the right form.',
    remedy: 'The message names the field; docs/protocol.md has the forms.',
  },
  DESIRED_SIGNATURE: {
    retry: 'changed',
    blame: 'release',
    about: 'An assignment or a release is not signed by a key that this device trusts for it.',
    remedy: 'Sign it with a key of that role, or enrol the device again if the keys changed.',
  },
  DESIRED_FOREIGN: {
    retry: 'changed',
    blame: 'release',
    about: 'An assignment is meant for another device or another tenant.',
    remedy: 'Find out who published it on this device’s topic; the device ignores it.',
  },
  DESIRED_EPOCH: {
    retry: 'changed',
    blame: 'release',
    about: 'An assignment is of another epoch than the one this device trusts.',
    remedy: 'Sign with the current epoch; it changes only with the trust that enrolment gives.',
  },
  DESIRED_STALE: {
    retry: 'changed',
    blame: 'release',
    about: 'An assignment is older than the one that was accepted last.',
    remedy: 'Nothing, if a broker replayed it; otherwise assign again with a higher generation.',
  },
  DESIRED_EQUIVOCATION: {
    retry: 'changed',
    blame: 'release',
    about: 'Two assignments of the same generation ask for different releases.',
    remedy: 'Find the second signer; assign again with a higher generation.',
  },
  DESIRED_OLD_RELEASE: {
    retry: 'changed',
    blame: 'release',
    about: 'The release’s counter is lower than that of the last good release of the app.',
    remedy: 'Make a new release with a higher counter, also to go back to older images.',
  },
  DESIRED_MISMATCH: {
    retry: 'changed',
    blame: 'release',
    about: 'A release’s document is not what its assignment says of it: app or counter differ.',
    remedy: 'Assign the release again through the fleet; do not sign assignments by hand.',
  },
  DESIRED_UNASKED: {
    retry: 'changed',
    blame: 'release',
    about: 'A release arrived that no assignment of this device names.',
    remedy: 'Nothing: it is dropped. Repeated, it means that somebody fills the topic.',
  },
  DESIRED_EXPIRED: {
    retry: 'changed',
    blame: 'release',
    about: 'The assignment’s notAfter has passed, and the device’s clock is trusted.',
    remedy: 'Assign again; what runs is not touched. Check the device’s clock if it is wrong.',
  },
  DESIRED_MISSING: {
    retry: 'soon',
    blame: 'network',
    about: 'The assignment is here and the document of its release is not.',
    remedy: 'Nothing: the device asks for it in its hello; the fleet publishes it again.',
  },
  PLAN_CYCLE: {
    retry: 'changed',
    blame: 'release',
    about: 'The workloads of a release depend on each other in a circle.',
    remedy: 'Break the circle that the message names.',
  },
  PLAN_DEPENDENCY: {
    retry: 'changed',
    blame: 'release',
    about: 'A workload depends on one that the release does not have.',
    remedy: 'Add the workload or remove it from depends_on.',
  },
  PLAN_PORTS: {
    retry: 'changed',
    blame: 'release',
    about: 'Two workloads of a release publish the same port.',
    remedy: 'Give one of them another published port or another address.',
  },
  PLAN_NAMES: {
    retry: 'changed',
    blame: 'release',
    about: 'Two workloads of a release have the same name.',
    remedy: 'Rename one of them.',
  },
  PLAN_MOUNT: {
    retry: 'changed',
    blame: 'release',
    about: 'A mount has no source, or one that is not acceptable.',
    remedy: 'Name a volume, or an absolute host path without . and .. parts.',
  },
  PLAN_DEPENDS: {
    retry: 'soon',
    blame: 'release',
    about: 'A workload waits for another one to start, to be healthy or to complete.',
    remedy: 'Nothing, unless it lasts: see `wherry logs` of the workload that is waited for.',
  },
  POLICY_PRIVILEGED: {
    retry: 'changed',
    blame: 'operator',
    about: 'The release asks for privileges that this device’s policy forbids.',
    remedy: 'Set allowPrivileged in the device’s policy.json, or drop the privilege.',
  },
  POLICY_DEVICES: {
    retry: 'changed',
    blame: 'operator',
    about: 'The release asks for access to devices that this device’s policy forbids.',
    remedy: 'Set allowDevices in the device’s policy.json, or drop the capability.',
  },
  POLICY_BIND: {
    retry: 'changed',
    blame: 'operator',
    about: 'The release binds a host path that this device’s policy forbids.',
    remedy: 'Add a folder above it to bindRoots in the device’s policy.json, or use a volume.',
  },
  GATE_PENDING: {
    retry: 'soon',
    blame: 'release',
    about: 'A release is being tried and not all of its workloads are well yet.',
    remedy: 'Nothing: the gate decides by its deadline.',
  },
  GATE_BAKING: {
    retry: 'soon',
    blame: 'release',
    about: 'A release is being tried and well; it must stay so for a while.',
    remedy: 'Nothing: it is committed when the bake time has passed.',
  },
  GATE_UNHEALTHY: {
    retry: 'changed',
    blame: 'release',
    about: 'A workload of a new release failed its health check.',
    remedy: 'See the probe’s output in the message and `wherry logs`; make a mended release.',
  },
  GATE_EXITED: {
    retry: 'changed',
    blame: 'release',
    about: 'A workload of a new release ended while it was being tried.',
    remedy: 'See its exit code in the message and `wherry logs`; make a mended release.',
  },
  GATE_RESTARTED: {
    retry: 'changed',
    blame: 'release',
    about: 'A workload of a new release had to be restarted while it was being tried.',
    remedy: 'See its exit code in the message and `wherry logs`; make a mended release.',
  },
  GATE_OOM: {
    retry: 'changed',
    blame: 'release',
    about: 'A workload of a new release was killed because it passed its memory limit.',
    remedy: 'Raise its memory limit or mend its use of memory.',
  },
  GATE_FAILED: {
    retry: 'changed',
    blame: 'release',
    about: 'A workload of a new release could not be started.',
    remedy: 'The message has the runtime’s own code and words.',
  },
  GATE_DEADLINE: {
    retry: 'changed',
    blame: 'release',
    about: 'A new release was not well by its gate’s deadline.',
    remedy: 'The message names the workload that was waited for; mend it or raise the deadline.',
  },
  DISK_LOW: {
    retry: 'backoff',
    blame: 'device',
    about: 'Little disk space is left for the state folder.',
    remedy: 'Free space; unused images are pruned by the agent itself.',
  },
} as const satisfies Record<string, CodeEntry>;
