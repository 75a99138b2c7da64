// SPDX-License-Identifier: Apache-2.0
// Networks: those at the top of a Compose file, and what a service says about its own: mode, aliases, addresses.

import { isIP, isIPv4, isIPv6 } from 'node:net';
import { workloadName } from '../../protocol/name.js';
import {
  type Attachment,
  attachment,
  defaultNetwork,
  hostName,
  type Network,
  networkMode,
} from '../../protocol/network.js';
import type { Workload } from '../../protocol/release.js';
import type { Context } from './context.js';
import { fault, refuse } from './fault.js';
import {
  booleanOf,
  checked,
  entriesOf,
  type Field,
  type Fields,
  isList,
  isNull,
  itemsOf,
  need,
  textOf,
  textsOf,
} from './field.js';
import { knownOf, type Reasons, refused } from './refused.js';

const refusedNetwork: Reasons = {
  external: 'a network belongs to its release; publish ports to speak to others',
  driver_opts: 'the one driver, bridge, takes none',
  labels: 'nothing reads them',
  name: 'a network is known by its key',
};
const refusedIpam: Reasons = {
  options: 'the one driver takes none',
  ip_range: 'the device chooses among the whole subnet',
  aux_addresses: 'give those workloads their address with ipv4_address',
};
const refusedAttachment: Reasons = {
  link_local_ips: 'links have no addresses but those of their network',
  mac_address: 'links are made anew on each device, with an address of their own',
  interface_name: 'the first link is eth0, the next one eth1',
  driver_opts: 'the one driver, bridge, takes none',
};

export function networksOf(field: Field | undefined): Network[] {
  if (field === undefined || isNull(field)) return [];
  return [...entriesOf(field)].map(([name, at]) => networkOf(checked(at, workloadName, name), at));
}

function networkOf(name: string, field: Field): Network {
  if (isNull(field)) return { name, driver: 'bridge' };
  const known = ['driver', 'internal', 'attachable', 'enable_ipv4', 'enable_ipv6', 'ipam'];
  const fields = knownOf(field, known, refusedNetwork);
  const [driver, ipv4, ipam] = [
    fields.get('driver'),
    fields.get('enable_ipv4'),
    fields.get('ipam'),
  ];
  if (driver !== undefined && textOf(driver) !== 'bridge') {
    throw refused(driver, "write bridge; for the device's own network write network_mode: host");
  }
  if (ipv4 !== undefined && !booleanOf(ipv4)) refuse(ipv4, 'true: every network has IPv4');
  const subnets = ipam === undefined ? [] : subnetsOf(ipam);
  const isSix = isSet(fields, 'enable_ipv6') || subnets.some(({ subnet }) => subnet.includes(':'));
  return {
    name,
    driver: 'bridge',
    ...(isSet(fields, 'internal') ? { internal: true } : {}),
    ...(isSix ? { ipv6: true } : {}),
    ...(subnets.length === 0 ? {} : { subnets }),
  };
}

function isSet(fields: Fields, key: string): boolean {
  const field = fields.get(key);
  return field !== undefined && booleanOf(field);
}

type Subnet = NonNullable<Network['subnets']>[number];

function subnetsOf(ipam: Field): Subnet[] {
  const fields = knownOf(ipam, ['driver', 'config'], refusedIpam);
  const [driver, config] = [fields.get('driver'), fields.get('config')];
  if (driver !== undefined && textOf(driver) !== 'default') refuse(driver, 'default');
  const subnets = config === undefined ? [] : itemsOf(config, 2).map(subnetOf);
  const sixes = subnets.filter(({ subnet }) => subnet.includes(':')).length;
  if (config !== undefined && subnets.length === 2 && sixes !== 1) {
    refuse(config, 'one subnet of IPv4 and one of IPv6 at most');
  }
  return subnets;
}

function subnetOf(field: Field): Subnet {
  const fields = knownOf(field, ['subnet', 'gateway'], refusedIpam);
  const at = need(fields, field, 'subnet');
  const subnet = textOf(at);
  const [address = '', bits = ''] = subnet.split('/');
  const [least, most] = isIPv4(address) ? [8, 30] : [32, 126];
  if (
    isIP(address) === 0 ||
    !/^\d{1,3}$/.test(bits) ||
    Number(bits) < least ||
    Number(bits) > most
  ) {
    refuse(at, `a subnet like 172.28.0.0/24 or fd00:28::/64, /${least} to /${most}`);
  }
  const gateway = fields.get('gateway');
  if (gateway === undefined) return { subnet };
  const text = textOf(gateway);
  return isIP(text) === isIP(address)
    ? { subnet, gateway: text }
    : refuse(gateway, `an address in ${subnet}`);
}

type Places = Pick<Workload, 'networkMode' | 'networks'>;

/** `name`: container_name, which others may call it by. */
export function placesOf(fields: Fields, name: string | undefined, context: Context): Places {
  const [mode, networks] = [fields.get('network_mode'), fields.get('networks')];
  const wanted = mode === undefined ? 'bridge' : modeOf(mode);
  if (wanted !== 'bridge') {
    if (networks !== undefined)
      throw fault('COMPOSE_KEY', networks, 'not together with network_mode');
    return { networkMode: wanted };
  }
  const places = networks === undefined ? {} : attachmentsOf(networks, context);
  if (name === undefined) return Object.keys(places).length === 0 ? {} : { networks: places };
  const all = Object.keys(places).length === 0 ? { [defaultNetwork]: {} } : places;
  return {
    networks: Object.fromEntries(
      Object.entries(all).map(([key, one]) => [
        key,
        { ...one, aliases: [...(one.aliases ?? []), name] },
      ]),
    ),
  };
}

function modeOf(field: Field): string {
  const text = textOf(field);
  if (/^container:/.test(text))
    return refuse(field, 'service:NAME: only workloads of the release are known');
  return text === 'default' ? 'bridge' : checked(field, networkMode, text);
}

function attachmentsOf(field: Field, context: Context): Record<string, Attachment> {
  const pairs: Array<[string, Attachment]> = isList(field)
    ? itemsOf(field, 8).map((item) => [declared(textOf(item), item, context), {}])
    : [...entriesOf(field)].map(([name, at]) => [declared(name, at, context), attachmentOf(at)]);
  if (pairs.length > 8) refuse(field, 'at most 8 networks');
  return Object.fromEntries(pairs);
}

function declared(name: string, place: Field, context: Context): string {
  if (name === defaultNetwork || context.networks.has(name)) return name;
  const what = `the network ${name} is not under the top-level networks`;
  throw fault('COMPOSE_REFERENCE', place, what);
}

function attachmentOf(field: Field): Attachment {
  if (isNull(field)) return {};
  const known = ['aliases', 'ipv4_address', 'ipv6_address', 'priority', 'gw_priority'];
  const fields = knownOf(field, known, refusedAttachment);
  const [aliases, four, six] = ['aliases', 'ipv4_address', 'ipv6_address'].map((key) =>
    fields.get(key),
  );
  const found: Attachment = {
    ...(aliases === undefined
      ? {}
      : { aliases: textsOf(aliases).map((text) => checked(aliases, hostName, text)) }),
    ...(four === undefined ? {} : { ipv4: addressOf(four, isIPv4, 'an IPv4 address') }),
    ...(six === undefined ? {} : { ipv6: addressOf(six, isIPv6, 'an IPv6 address') }),
  };
  return checked(field, attachment, found);
}

function addressOf(field: Field, isFine: (text: string) => boolean, form: string): string {
  const text = textOf(field, form);
  return isFine(text) ? text : refuse(field, form);
}
