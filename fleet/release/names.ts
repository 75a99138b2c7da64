// SPDX-License-Identifier: Apache-2.0
// Names and resolvers of a service: hostname, extra_hosts, dns, dns_search, dns_opt.

import { isIP } from 'node:net';
import type { Check } from '../../protocol/check.js';
import { type Dns, dns, type ExtraHost, extraHost, hostName } from '../../protocol/network.js';
import type { Workload } from '../../protocol/release.js';
import { refuse } from './fault.js';
import {
  checked,
  entriesOf,
  type Field,
  type Fields,
  isList,
  itemsOf,
  templateOf,
  textOf,
  textsOf,
} from './field.js';

/** The kernel's bound. */
const hostnameMax = 63;

export function hostnameOf(field: Field | undefined): Pick<Workload, 'hostname' | 'hostnameFrom'> {
  if (field === undefined) return {};
  const found = templateOf(field);
  if (typeof found !== 'string') return { hostnameFrom: found };
  if (found.length > hostnameMax) refuse(field, `at most ${hostnameMax} characters`);
  return { hostname: checked(field, hostName, found) };
}

/** `NAME=ADDRESS`, `NAME:ADDRESS`, or a map of names to one address or several. */
export function extraHostsOf(field: Field): ExtraHost[] {
  const pairs = isList(field)
    ? itemsOf(field, 64).map((item) => hostPair(item))
    : [...entriesOf(field)].flatMap(([name, at]) =>
        textsOf(at).map((address): [Field, string, string] => [at, name, address]),
      );
  return pairs.map(([place, name, written]) => {
    const address = written.replace(/^\[(.*)\]$/, '$1');
    if (address !== 'host-gateway' && isIP(address) === 0) {
      refuse(place, 'NAME=ADDRESS with an IP address or host-gateway');
    }
    return checked(place, extraHost, { name, address });
  });
}

function hostPair(item: Field): [Field, string, string] {
  const [, name = '', address] = /^([^=:]+)[=:](.+)$/.exec(textOf(item)) ?? [];
  return address === undefined
    ? refuse(item, 'NAME=ADDRESS with an IP address or host-gateway')
    : [item, name, address];
}

export function dnsOf(fields: Fields): { dns?: Dns } {
  const found = {
    ...listOf(fields, 'dns', 'servers', (at, text) =>
      isIP(text) === 0 ? refuse(at, 'IP addresses') : text,
    ),
    ...listOf(fields, 'dns_search', 'search', (_at, text) => text),
    ...listOf(fields, 'dns_opt', 'options', (_at, text) => text),
  };
  return Object.keys(found).length === 0 ? {} : { dns: found };
}

function listOf(
  fields: Fields,
  key: string,
  name: keyof Dns,
  read: (place: Field, text: string) => string,
): Dns {
  const field = fields.get(key);
  if (field === undefined) return {};
  // `.` alone is "no search domain", as resolvers have it.
  const texts = textsOf(field).filter((text) => !(name === 'search' && text === '.'));
  const check: Check<Dns> = dns;
  return checked(field, check, { [name]: texts.map((text) => read(field, text)) });
}
