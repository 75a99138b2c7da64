// SPDX-License-Identifier: Apache-2.0
// The seccomp section of config.json from the policy in syscalls.ts. Only the image's own architecture is
// filtered for (every other one is refused by the kernel), since each more costs start time.

import { CodedError } from '../../protocol/error.js';
import { quoted } from '../../protocol/text.js';
import {
  allowed,
  byArchitecture,
  byCapability,
  cloneNamespaceFlags,
  familyVsock,
  personalities,
} from './syscalls.js';

const eperm = 1;
const enosys = 38;

export interface SeccompArg {
  readonly index: number;
  readonly value: number;
  readonly valueTwo?: number;
  readonly op: 'SCMP_CMP_EQ' | 'SCMP_CMP_NE' | 'SCMP_CMP_MASKED_EQ';
}

export interface SeccompRule {
  readonly names: readonly string[];
  readonly action: 'SCMP_ACT_ALLOW' | 'SCMP_ACT_ERRNO';
  readonly errnoRet?: number;
  readonly args?: readonly SeccompArg[];
}

export interface Seccomp {
  readonly defaultAction: 'SCMP_ACT_ERRNO';
  readonly defaultErrnoRet: number;
  readonly architectures: readonly string[];
  readonly syscalls: readonly SeccompRule[];
}

/**
 * `architecture`: of the image, as OCI names it.
 * @throws RUN_SECCOMP where the policy has no table for it: without one nothing would be filtered
 */
export function seccomp(architecture: string, capabilities: readonly string[]): Seccomp {
  const own = Object.hasOwn(byArchitecture, architecture)
    ? byArchitecture[architecture]
    : undefined;
  if (own === undefined) {
    const word = quoted(architecture);
    throw new CodedError(
      'RUN_SECCOMP',
      `no seccomp policy is known for the architecture '${word}'`,
      { architecture: word },
    );
  }
  const extra = capabilities.flatMap((name) => byCapability[name] ?? []);
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: eperm,
    architectures: [own.arch],
    syscalls: [
      allow([...new Set([...allowed, ...own.names, ...extra])]),
      allow(['socket'], { index: 0, value: familyVsock, op: 'SCMP_CMP_NE' }),
      ...personalities.map((value) =>
        allow(['personality'], { index: 0, value, op: 'SCMP_CMP_EQ' }),
      ),
      ...(capabilities.includes('CAP_SYS_ADMIN') ? [] : cloneRules),
    ],
  };
}

function allow(names: readonly string[], arg?: SeccompArg): SeccompRule {
  return { names, action: 'SCMP_ACT_ALLOW', ...(arg === undefined ? {} : { args: [arg] }) };
}

// clone3 takes its flags from memory, where a filter cannot look: ENOSYS makes libcs fall back to clone.
const cloneRules: readonly SeccompRule[] = [
  allow(['clone'], {
    index: 0,
    value: cloneNamespaceFlags,
    valueTwo: 0,
    op: 'SCMP_CMP_MASKED_EQ',
  }),
  { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: enosys },
];
