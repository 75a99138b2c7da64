// SPDX-License-Identifier: Apache-2.0
// What a release may ask for and this agent does not do: refused by name, before anything is made, instead of
// running with less than was asked for. A kind that run learns is taken off this list.

import { CodedError } from '../../protocol/error.js';
import { defaultNetwork } from '../../protocol/network.js';
import type { ContainerSpec } from './types.js';

type Asked = Pick<ContainerSpec, 'workload' | 'shared'>;

const unmet: Readonly<Record<string, (spec: Asked) => boolean>> = {
  'network_mode: service:…': ({ workload }) =>
    workload.networkMode?.startsWith('service:') === true,
  'networks of its own': ({ workload, shared }) =>
    Object.keys(workload.networks ?? {}).some((name) => name !== defaultNetwork) ||
    (shared?.networks.length ?? 0) > 0,
  'an address of its own choice': ({ workload }) =>
    Object.values(workload.networks ?? {}).some(
      ({ ipv4, ipv6 }) => ipv4 !== undefined || ipv6 !== undefined,
    ),
  'x-wherry.schedule': ({ workload }) => workload.schedule !== undefined,
  'an NFS volume': ({ shared }) => (shared?.volumes.length ?? 0) > 0,
};

/** @throws RUN_UNMET */
export function refuseUnmet(spec: Asked): void {
  const key = Object.keys(unmet).find((name) => unmet[name]?.(spec) === true);
  if (key === undefined) return;
  const { name } = spec.workload;
  const what = `workload ${name} asks for ${key}, which this agent does not do`;
  throw new CodedError('RUN_UNMET', what, { workload: name, key });
}
