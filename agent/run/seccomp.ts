// SPDX-License-Identifier: Apache-2.0
// The seccomp section of config.json: from the policy in syscalls.ts, or from a profile in Docker's form that the
// release brings. Of our own policy only the image's architecture is filtered for (every other one is refused by
// the kernel), since each more costs start time.

import { CodedError } from '../../protocol/error.js';
import type { SeccompProfile, Security } from '../../protocol/isolation.js';
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
  readonly op: string;
}

export interface SeccompRule {
  readonly names: readonly string[];
  readonly action: string;
  readonly errnoRet?: number;
  readonly args?: readonly SeccompArg[];
}

export interface Seccomp {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  readonly architectures: readonly string[];
  readonly syscalls: readonly SeccompRule[];
}

export interface SeccompFacts {
  /** The image's, as OCI names it. */
  readonly architecture: string;
  readonly capabilities: readonly string[];
  /** The device's, x.y. */
  readonly kernel: string;
}

/** @param wanted absent = our own policy. Undefined = no filter. @throws RUN_SECCOMP */
export function seccompOf(wanted: Security['seccomp'], facts: SeccompFacts): Seccomp | undefined {
  if (wanted === 'unconfined') return undefined;
  if (wanted === undefined) return seccomp(facts.architecture, facts.capabilities);
  return profileOf(wanted, facts);
}

/** Docker's form as the runtime-spec has it: conditions on capabilities, architecture and kernel are decided. */
function profileOf(profile: SeccompProfile, facts: SeccompFacts): Seccomp {
  const own = policyOf(facts.architecture).arch;
  const map = (profile.archMap ?? []).find(({ architecture }) => architecture === own);
  const architectures = [own, ...(map?.subArchitectures ?? []), ...(profile.architectures ?? [])];
  return {
    defaultAction: profile.defaultAction,
    ...(profile.defaultErrnoRet === undefined ? {} : { defaultErrnoRet: profile.defaultErrnoRet }),
    architectures: [...new Set(architectures)],
    syscalls: profile.syscalls
      .filter((rule) => applies(rule, facts))
      .map(({ includes: _when, excludes: _unless, ...rule }) => rule),
  };
}

type ProfileRule = SeccompProfile['syscalls'][number];

function applies({ includes = {}, excludes = {} }: ProfileRule, facts: SeccompFacts): boolean {
  const { architecture, capabilities, kernel } = facts;
  if (excludes.arches?.includes(architecture) === true) return false;
  if (excludes.caps?.some((name) => capabilities.includes(name)) === true) return false;
  if (excludes.minKernel !== undefined && isAtLeast(kernel, excludes.minKernel)) return false;
  if (includes.arches !== undefined && !isIn(architecture, includes.arches)) return false;
  if (includes.caps?.every((name) => capabilities.includes(name)) === false) return false;
  return includes.minKernel === undefined || isAtLeast(kernel, includes.minKernel);
}

/** An empty list is no condition. */
function isIn(architecture: string, arches: readonly string[]): boolean {
  return arches.length === 0 || arches.includes(architecture);
}

function isAtLeast(kernel: string, least: string): boolean {
  const [major = 0, minor = 0] = kernel.split('.').map((word) => Number.parseInt(word, 10));
  const [wantedMajor = 0, wantedMinor = 0] = least.split('.').map(Number);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

/** @throws RUN_SECCOMP where the policy has no table for it: without one nothing would be filtered */
function policyOf(architecture: string): (typeof byArchitecture)[string] {
  const own = Object.hasOwn(byArchitecture, architecture)
    ? byArchitecture[architecture]
    : undefined;
  if (own !== undefined) return own;
  const word = quoted(architecture);
  throw new CodedError('RUN_SECCOMP', `no seccomp policy is known for the architecture '${word}'`, {
    architecture: word,
  });
}

/** `architecture`: of the image, as OCI names it. @throws RUN_SECCOMP for one without a policy */
export function seccomp(architecture: string, capabilities: readonly string[]): Seccomp {
  const own = policyOf(architecture);
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
