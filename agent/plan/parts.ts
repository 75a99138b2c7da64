// SPDX-License-Identifier: Apache-2.0
// What a workload names must be in its release, its network keys must agree, and its variables must be there.

import type { Code } from '../../protocol/codes.js';
import { defaultNetwork } from '../../protocol/network.js';
import type { Release, Workload } from '../../protocol/release.js';
import type { Reference, Template } from '../../protocol/variable.js';

type Found = { code: Code; message: string } | undefined;

export function partsRefusal(workload: Workload, release: Release): Found {
  return (
    configRefusal(workload, release) ??
    networkRefusal(workload, release) ??
    sharerRefusal(workload, release) ??
    variableRefusal(workload)
  );
}

function configRefusal({ name, configs = [] }: Workload, release: Release): Found {
  const held = new Set(release.configs?.map((config) => config.name));
  const absent = configs.find(({ source }) => !held.has(source));
  if (absent === undefined) return undefined;
  const message = `workload ${name} uses the config ${absent.source}, which the release does not have`;
  return { code: 'PLAN_CONFIG', message };
}

/** Without a network of its own it has no ports, no addresses and no settings of one. */
function networkRefusal(workload: Workload, release: Release): Found {
  const { name, networkMode = 'bridge', networks, ports = [], sysctls = {} } = workload;
  const refusal = (what: string): Found => ({
    code: 'PLAN_NETWORK',
    message: `workload ${name}: ${what}`,
  });
  const known = new Set([defaultNetwork, ...(release.networks ?? []).map((one) => one.name)]);
  const absent = Object.keys(networks ?? {}).find((one) => !known.has(one));
  if (absent !== undefined) return refusal(`the release has no network ${absent}`);
  if (networkMode === 'bridge') return undefined;
  if (networks !== undefined)
    return refusal(`networks and network_mode ${networkMode} exclude each other`);
  if (ports.length > 0) return refusal(`with network_mode ${networkMode} no port can be published`);
  const setting = Object.keys(sysctls).find((key) => key.startsWith('net.'));
  if (setting === undefined || networkMode === 'none') return undefined;
  return refusal(`sysctls ${setting} would be set outside of it with network_mode ${networkMode}`);
}

/** The one whose network is shared has one, and starts first. */
function sharerRefusal(
  { name, networkMode = '', dependsOn = {} }: Workload,
  release: Release,
): Found {
  const [mode, other] = networkMode.split(':');
  if (mode !== 'service') return undefined;
  const owner = release.workloads.find((one) => one.name === other);
  const mend = (what: string): Found => ({
    code: 'PLAN_NETWORK',
    message: `workload ${name}: network_mode ${networkMode}: ${what}`,
  });
  if (owner === undefined) return mend('the release has no such workload');
  if (owner.networkMode?.startsWith('service:') === true)
    return mend(`${other} has none of its own`);
  return other === undefined || dependsOn[other] === undefined
    ? mend(`the workload does not depend on ${other}`)
    : undefined;
}

/** Those that are still there were not completed: the device lacks a variable of theirs. */
function variableRefusal(workload: Workload): Found {
  const { name, environmentFrom = {}, labelsFrom = {}, hostnameFrom } = workload;
  const open: Array<[string, Template]> = [
    ...Object.entries(environmentFrom).map(([key, one]): [string, Template] => [
      `environment.${key}`,
      one,
    ]),
    ...Object.entries(labelsFrom).map(([key, one]): [string, Template] => [`labels.${key}`, one]),
    ...(hostnameFrom === undefined ? [] : [['hostname', hostnameFrom] as [string, Template]]),
  ];
  const [first] = open;
  if (first === undefined) return undefined;
  const names = first[1].filter((part): part is Reference => typeof part !== 'string');
  const lacking = names.filter((part) => part.default === undefined).map((part) => part.variable);
  const message = `workload ${name}: ${first[0]} needs a variable of this device: ${lacking.join(', ')}`;
  return { code: 'PLAN_VARIABLE', message };
}
