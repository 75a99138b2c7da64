// SPDX-License-Identifier: Apache-2.0
// The rights that a workload asks for beside the device's policy: privileges, devices, the device's network,
// capabilities, kernel settings, system calls. Each refusal names workload and key.

import {
  defaultCapabilities,
  deviceCapabilities,
  harmlessCapabilities,
} from '../../protocol/capability.js';
import type { Code } from '../../protocol/codes.js';
import type { Workload } from '../../protocol/release.js';
import type { Policy } from './observed.js';

interface Right {
  readonly code: Code;
  /** The policy allows it. */
  readonly allowed: (policy: Policy) => boolean;
  /** The key that asks for it and its value, in words; undefined = it does not ask. */
  readonly asked: (workload: Workload, policy: Policy) => string | undefined;
}

/** Root on the device by another name, even where the policy lists them. */
const rootCapabilities: readonly string[] = ['ALL', 'CAP_SYS_ADMIN', 'CAP_SYS_MODULE'];

/** What is in no list, a capability of a later kernel too, takes the device. */
function isStrong(name: string, { allowCapabilities }: Policy): boolean {
  if (rootCapabilities.includes(name)) return true;
  const weak = [...defaultCapabilities, ...harmlessCapabilities, ...deviceCapabilities];
  return !weak.includes(name) && !allowCapabilities.includes(name);
}

function added(workload: Workload, isMeant: (name: string) => boolean): string | undefined {
  const found = workload.capAdd?.find(isMeant);
  return found === undefined ? undefined : `cap_add ${found}`;
}

/** The first that applies is told. */
const rights: readonly Right[] = [
  {
    code: 'POLICY_PRIVILEGED',
    allowed: (policy) => policy.allowPrivileged,
    asked: (workload, policy) =>
      workload.privileged === true
        ? 'privileged'
        : added(workload, (name) => isStrong(name, policy)),
  },
  {
    code: 'POLICY_DEVICES',
    allowed: (policy) => policy.allowDevices,
    asked: ({ devices = [], ...workload }) =>
      devices[0] === undefined
        ? added(workload, (name) => deviceCapabilities.includes(name))
        : `devices ${devices[0].source}`,
  },
  {
    code: 'POLICY_CAPABILITY',
    allowed: (policy) => policy.allowPrivileged,
    asked: (workload, { allowCapabilities }) =>
      added(
        workload,
        (name) => harmlessCapabilities.includes(name) && !allowCapabilities.includes(name),
      ),
  },
  {
    code: 'POLICY_NETWORK',
    allowed: (policy) => policy.allowHostNetwork,
    asked: ({ networkMode }) => (networkMode === 'host' ? 'network_mode host' : undefined),
  },
  {
    code: 'POLICY_SYSCTL',
    allowed: (policy) => policy.allowSysctls,
    asked: ({ sysctls = {} }) => {
      const [first] = Object.keys(sysctls);
      return first === undefined ? undefined : `sysctls ${first}`;
    },
  },
  {
    code: 'POLICY_SECCOMP',
    allowed: (policy) => policy.allowSeccomp,
    asked: ({ security }) => {
      if (security?.seccomp === undefined) return undefined;
      const what = security.seccomp === 'unconfined' ? 'unconfined' : 'of its own';
      return `security_opt seccomp ${what}`;
    },
  },
];

export function rightsRefusal(
  workload: Workload,
  policy: Policy,
): { code: Code; message: string } | undefined {
  for (const { code, allowed, asked } of rights) {
    const what = allowed(policy) ? undefined : asked(workload, policy);
    if (what === undefined) continue;
    const message = `workload ${workload.name} asks for ${what}, which this device forbids`;
    return { code, message };
  }
  return undefined;
}
