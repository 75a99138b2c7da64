// SPDX-License-Identifier: Apache-2.0
// What a workload uses of that which its release holds for all: networks, volumes, configs. It is part of what
// a container is made from: a changed config makes another container, and only of those that use it.

import type { Config, Volume } from '../../protocol/content.js';
import { defaultNetwork, type Network } from '../../protocol/network.js';
import type { Release, Workload } from '../../protocol/release.js';

export interface Shared {
  readonly networks: readonly Network[];
  readonly volumes: readonly Volume[];
  readonly configs: readonly Config[];
}

/** In the release's order, each at most once. */
export function sharedOf(
  release: Pick<Release, 'networks' | 'volumes' | 'configs'>,
  workload: Workload,
): Shared {
  const networks = networksOf(workload);
  const volumes = (workload.mounts ?? []).map(({ type, source }) =>
    type === 'volume' ? source : undefined,
  );
  const configs = (workload.configs ?? []).map(({ source }) => source);
  return {
    networks: (release.networks ?? []).filter(({ name }) => networks.includes(name)),
    volumes: (release.volumes ?? []).filter(({ name }) => volumes.includes(name)),
    configs: (release.configs ?? []).filter(({ name }) => configs.includes(name)),
  };
}

/** Names of the networks that a workload is in; none where it has no network of its own. */
export function networksOf(workload: Pick<Workload, 'networkMode' | 'networks'>): string[] {
  if ((workload.networkMode ?? 'bridge') !== 'bridge') return [];
  return workload.networks === undefined ? [defaultNetwork] : Object.keys(workload.networks);
}
