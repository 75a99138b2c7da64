// SPDX-License-Identifier: Apache-2.0
// A small site of its own: one network namespace holds a bridge, where the fleet server listens, and every
// device is a namespace with a cable to it. Nothing of the host's own network is touched.

import { type Output, runIn } from './program.js';

/** The site's /24; each world lives in its own namespaces, so that it may be the same everywhere. */
const site = '10.77.0';
export const fleetAddress = `${site}.1`;

export interface Site {
  /** Namespace of the fleet server. */
  readonly netns: string;
  /** Adds a device's namespace and cable. */
  addHost(name: string): Promise<{ netns: string; address: string }>;
  /** Cuts or mends a device's cable. */
  setLink(name: string, up: boolean): Promise<void>;
}

export async function makeSite(tag: string): Promise<Site> {
  const netns = `${tag}-fleet`;
  await ip(undefined, `netns add ${netns}`);
  await ip(netns, 'link set lo up');
  await ip(netns, 'link add site type bridge');
  await ip(netns, `addr add ${fleetAddress}/24 dev site`);
  await ip(netns, 'link set site up');
  let last = 10;
  return {
    netns,
    addHost: async (name) => {
      last += 1;
      const host = { netns: `${tag}-${name}`, address: `${site}.${last}` };
      await ip(undefined, `netns add ${host.netns}`);
      await ip(host.netns, 'link set lo up');
      await ip(netns, `link add p-${name} type veth peer name eth0 netns ${host.netns}`);
      await ip(netns, `link set p-${name} master site up`);
      await ip(host.netns, `addr add ${host.address}/24 dev eth0`);
      await ip(host.netns, 'link set eth0 up');
      await ip(host.netns, `route add default via ${fleetAddress}`);
      return host;
    },
    setLink: (name, up) => ip(netns, `link set p-${name} ${up ? 'up' : 'down'}`),
  };
}

async function ip(netns: string | undefined, words: string): Promise<void> {
  const output: Output = await runIn(netns, ['ip', ...words.split(' ')]);
  if (output.code !== 0) throw new Error(`ip ${words}: ${output.stderr}`);
}
