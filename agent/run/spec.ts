// SPDX-License-Identifier: Apache-2.0
// A container's config.json, whole: a value made from values. Looking things up in the image, making volumes
// and writing files is bundle.ts.

import type { Places } from '../../adapters/places.js';
import type { ImageConfig } from '../../images/oci/config.js';
import { CodedError } from '../../protocol/error.js';
import { annotations } from '../../protocol/keeper.js';
import { isBelow } from '../../protocol/path.js';
import type { Workload } from '../../protocol/release.js';
import type { Host } from './host.js';
import type { Layout } from './layout.js';
import type { OciDevice, OciSpec } from './oci.js';
import { linuxOf } from './spec-linux.js';
import { mountsOf, type VolumeMount } from './spec-mounts.js';
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
  readonly address: string;
  readonly layout: Layout;
  readonly places: Places;
  readonly host: Host;
  readonly devices: readonly OciDevice[];
  /** Host folders that binds are allowed from. */
  readonly bindRoots: readonly string[];
}

/** @throws RUN_COMMAND, RUN_LABEL, RUN_BIND, CONFIG_BAD */
export function specOf(parts: SpecParts): OciSpec {
  const process = processOf(parts.workload, parts.config, parts.user, parts.host);
  return {
    ociVersion: '1.0.2',
    process,
    root: { path: 'rootfs', readonly: parts.workload.readOnly === true },
    hostname: parts.workload.name.slice(0, hostnameMax),
    mounts: mountsOf(parts.workload, parts.layout, parts.volumes, parts.bindRoots),
    annotations: annotationsOf(parts),
    linux: linuxOf(parts.workload, {
      cgroupsPath: `${parts.places.cgroupParent}/${parts.id}`,
      architecture: parts.config.architecture,
      capabilities: process.capabilities.bounding,
      devices: parts.devices,
    }),
  };
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
    [annotations.netBridge]: parts.places.bridge,
    [annotations.netGateway]: `${parts.places.subnet}.1/24`,
    [annotations.netAddress]: `${parts.address}/24`,
  };
}
