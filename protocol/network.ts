// SPDX-License-Identifier: Apache-2.0
// The networks of a release and what a workload says about its own: ports, names, addresses, resolvers. Only
// forms and bounds are checked here; whether an address lies in its subnet is found by the fleet and the device.

import { array, boolean, type Checked, integer, object, oneOf, optional, string } from './check.js';
import { workloadName } from './name.js';

const address = string({ pattern: /^[0-9a-fA-F.:]{2,45}$/, form: 'an IP address' });
const ipv4 = string({ pattern: /^\d{1,3}(\.\d{1,3}){3}$/, form: 'an IPv4 address' });
const ipv6 = string({ pattern: /^[0-9a-fA-F:.]{2,45}$/, form: 'an IPv6 address' });
const subnet = string({
  pattern: /^[0-9a-fA-F.:]{2,45}\/\d{1,3}$/,
  form: 'a subnet like 10.20.0.0/24 or fd00:1::/64',
});

/** A name as resolvers take it: labels of at most 63 joined by dots, 253 in all. */
export const hostNamePattern =
  /^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*$/;
export const hostName = string({
  pattern: hostNamePattern,
  form: 'a host name: letters, digits, dashes and dots',
});

export const port = object({
  /** IPv4 or IPv6 address on the device, without brackets; absent = every address of both. */
  hostIp: optional(address),
  published: integer(1, 65_535),
  target: integer(1, 65_535),
  protocol: oneOf('tcp', 'udp'),
});
export type Port = Checked<typeof port>;

/** What a workload without networks of its own is in; every release has it, listed or not. */
export const defaultNetwork = 'default';

export const network = object({
  name: workloadName,
  driver: oneOf('bridge'),
  /** Nothing in it reaches beyond the device, and nobody outside reaches it. */
  internal: optional(boolean),
  /** Its workloads get IPv6 addresses too. */
  ipv6: optional(boolean),
  /** At most one IPv4 and one IPv6; absent = the device chooses one that is free. */
  subnets: optional(array(object({ subnet, gateway: optional(address) }), 2)),
});
export type Network = Checked<typeof network>;

/** A workload's place in one network. */
export const attachment = object({
  aliases: optional(array(hostName, 16)),
  ipv4: optional(ipv4),
  ipv6: optional(ipv6),
});
export type Attachment = Checked<typeof attachment>;

/** `service:NAME` shares the network of another workload of the release. */
export const networkMode = string({
  pattern: /^(bridge|host|none|service:[a-z0-9][a-z0-9_.-]{0,62})$/,
  form: 'bridge, host, none or service:NAME',
});

export const extraHost = object({
  name: hostName,
  /** `host-gateway`: the device itself, as the workload's network sees it. */
  address: string({ pattern: /^([0-9a-fA-F.:]{2,45}|host-gateway)$/, form: 'an IP address' }),
});
export type ExtraHost = Checked<typeof extraHost>;

/** Each that is given takes the place of the device's own in /etc/resolv.conf. */
export const dns = object({
  servers: optional(array(address, 8)),
  search: optional(array(hostName, 16)),
  options: optional(
    array(string({ pattern: /^[a-z0-9-]{1,32}(:\d{1,5})?$/, form: 'an option like ndots:1' }), 16),
  ),
});
export type Dns = Checked<typeof dns>;
