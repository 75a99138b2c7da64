// SPDX-License-Identifier: Apache-2.0
// Capabilities by how far they reach. What is in no list is root on the host by another name, or a piece of it: a
// capability that no list names, a new one too, is never given without the device's word.

/** What every container has unless it drops it: Docker's default set. Adding one of these needs nobody's word. */
export const defaultCapabilities: readonly string[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FSETID',
  'CAP_FOWNER',
  'CAP_MKNOD',
  'CAP_NET_RAW',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETFCAP',
  'CAP_SETPCAP',
  'CAP_NET_BIND_SERVICE',
  'CAP_SYS_CHROOT',
  'CAP_KILL',
  'CAP_AUDIT_WRITE',
];

/**
 * What reaches no further than the container's own network, IPC, memory and processes. In the network of the device
 * it would reach that, so the device's policy must list it.
 */
export const harmlessCapabilities: readonly string[] = [
  'CAP_NET_ADMIN',
  'CAP_NET_BROADCAST',
  'CAP_IPC_LOCK',
  'CAP_IPC_OWNER',
  'CAP_SYS_NICE',
];

/** What gives access to the device's hardware. MKNOD is among them: who asks for it means to use the nodes. */
export const deviceCapabilities: readonly string[] = ['CAP_SYS_RAWIO', 'CAP_MKNOD'];
