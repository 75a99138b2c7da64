// SPDX-License-Identifier: Apache-2.0
// config.json of the OCI runtime-spec 1.0.2, as far as we write it.

import type { Seccomp } from './seccomp.js';

export interface OciMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

export interface OciProcess {
  readonly terminal: false;
  readonly user: { uid: number; gid: number; umask: number; additionalGids?: readonly number[] };
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly capabilities: Record<
    'bounding' | 'effective' | 'permitted' | 'inheritable' | 'ambient',
    readonly string[]
  >;
  readonly rlimits: ReadonlyArray<{ type: string; soft: number; hard: number }>;
  readonly noNewPrivileges: boolean;
  readonly oomScoreAdj: number;
}

export interface OciDevice {
  readonly path: string;
  readonly type: 'c' | 'b';
  readonly major: number;
  readonly minor: number;
  readonly fileMode: number;
  readonly uid: number;
  readonly gid: number;
}

export interface OciDeviceRule {
  readonly allow: boolean;
  readonly type?: 'a' | 'c' | 'b';
  readonly major?: number;
  readonly minor?: number;
  readonly access: string;
}

export interface OciResources {
  readonly devices: readonly OciDeviceRule[];
  readonly memory?: { limit?: number; swap?: number; reservation?: number };
  readonly cpu?: { quota?: number; period?: number; shares?: number; cpus?: string };
  readonly pids?: { limit: number };
}

export interface OciLinux {
  readonly namespaces: ReadonlyArray<{ type: string; path?: string }>;
  readonly cgroupsPath: string;
  readonly resources: OciResources;
  readonly devices: readonly OciDevice[];
  readonly sysctl: Readonly<Record<string, string>>;
  readonly rootfsPropagation: string;
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
  readonly seccomp?: Seccomp;
}

export interface OciSpec {
  readonly ociVersion: string;
  readonly process: OciProcess;
  readonly root: { path: string; readonly: boolean };
  readonly hostname: string;
  readonly domainname?: string;
  readonly mounts: readonly OciMount[];
  readonly annotations: Readonly<Record<string, string>>;
  readonly linux: OciLinux;
}
