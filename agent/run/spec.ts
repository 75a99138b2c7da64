// SPDX-License-Identifier: Apache-2.0
// A container's config.json, whole: a value made from values. Looking things up in the image, making volumes
// and writing files is bundle.ts.

import { hostname, release } from 'node:os';
import type { Places } from '../../adapters/places.js';
import type { ImageConfig } from '../../images/oci/config.js';
import { CodedError } from '../../protocol/error.js';
import { annotations } from '../../protocol/keeper.js';
import { isBelow } from '../../protocol/path.js';
import type { Workload } from '../../protocol/release.js';
import type { AskedDevice, Host } from './host.js';
import type { Layout } from './layout.js';
import type { OciDevice, OciSpec } from './oci.js';
import { linuxOf } from './spec-linux.js';
import { type FileMount, initPath, mountsOf, type VolumeMount } from './spec-mounts.js';
import { processOf } from './spec-process.js';
import type { User } from './user.js';

const ownPrefix = 'io.wherry.';
const hostnameMax = 63;

export interface SpecParts {
  readonly id: string;
  readonly workload: Workload;
  readonly config: ImageConfig;
  /** Topmost first. */
  readonly layers: readonly string[];
  readonly user: User;
  readonly volumes: readonly VolumeMount[];
  /** Config files, already written. */
  readonly files?: readonly FileMount[];
  /** wherry-init on the device, where the workload asks for one. */
  readonly init?: string | undefined;
  /** Its address on the bridge; null = no link. */
  readonly address: string | null;
  /** The network namespace of another workload that it enters. */
  readonly netPath?: string | undefined;
  readonly layout: Layout;
  readonly places: Places;
  readonly host: Host;
  /** Of the device, for a privileged workload. */
  readonly devices: readonly OciDevice[];
  /** Those that the workload names. */
  readonly asked?: readonly AskedDevice[];
  /** Host folders that binds are allowed from. */
  readonly bindRoots: readonly string[];
}

/** @throws RUN_COMMAND, RUN_LABEL, RUN_BIND, RUN_LIMIT, RUN_SECCOMP, CONFIG_BAD */
export function specOf(parts: SpecParts): OciSpec {
  const { workload, init } = parts;
  const name = hostnameOf(workload);
  const process = processOf(workload, parts.config, parts.user, parts.host, {
    hostname: name,
    init: init === undefined ? undefined : initPath,
  });
  const files = [
    ...(parts.files ?? []),
    ...(init === undefined ? [] : [{ source: init, target: initPath }]),
  ];
  return {
    ociVersion: '1.0.2',
    process,
    root: { path: 'rootfs', readonly: workload.readOnly === true },
    hostname: name,
    ...(workload.domainname === undefined ? {} : { domainname: workload.domainname }),
    mounts: mountsOf(workload, parts.layout, parts.volumes, parts.bindRoots, files),
    annotations: annotationsOf(parts),
    linux: linuxOf(workload, {
      cgroupsPath: `${parts.places.cgroupParent}/${parts.id}`,
      architecture: parts.config.architecture,
      capabilities: process.capabilities.bounding,
      devices: parts.devices,
      asked: parts.asked ?? [],
      kernel: release(),
      netPath: parts.netPath,
    }),
  };
}

/** In the network of the device a container has the device's name, as Docker has it. */
export function hostnameOf(workload: Workload): string {
  const own = workload.networkMode === 'host' ? hostname() : workload.name;
  return (workload.hostname ?? own).slice(0, hostnameMax);
}

/** Labels, then ours. INVARIANT: no label can take the place of an annotation that wherry-run acts on. */
function annotationsOf(parts: SpecParts): Record<string, string> {
  const labels = parts.workload.labels ?? {};
  const reserved = Object.keys(labels).find((key) => key.startsWith(ownPrefix));
  if (reserved !== undefined) {
    throw new CodedError('RUN_LABEL', `label ${reserved} of workload ${parts.workload.name}`, {
      label: reserved,
    });
  }
  const colon = [...parts.layers, parts.layout.folder].find((path) => path.includes(':'));
  if (colon !== undefined) {
    throw new CodedError('CONFIG_BAD', `${colon}: overlayfs takes no colon; use another --root`);
  }
  // Where every path is allowed, no link leads out.
  const roots = parts.bindRoots.some((root) => isBelow('/', root)) ? [] : parts.bindRoots;
  return {
    ...labels,
    ...(roots.length === 0 ? {} : { [annotations.bindRoots]: roots.join(':') }),
    [annotations.overlayLower]: parts.layers.join(':'),
    [annotations.overlayUpper]: parts.layout.upper,
    [annotations.overlayWork]: parts.layout.work,
    ...(parts.address === null
      ? {}
      : {
          [annotations.netBridge]: parts.places.bridge,
          [annotations.netGateway]: `${parts.places.subnet}.1/24`,
          [annotations.netAddress]: `${parts.address}/24`,
        }),
  };
}
