// SPDX-License-Identifier: Apache-2.0
// Compose `ports`: short and long form, ranges, udp, an address of the device. A port without a published
// number is refused: a device gives out no ports by chance.

import { isIP } from 'node:net';
import type { Port } from '../../protocol/network.js';
import { refuse } from './fault.js';
import { type Field, fieldsOf, isMap, itemsOf, need, textOf, wholeOf } from './field.js';

const portCountMax = 64;
const form = 'like 8080:80, 127.0.0.1:8080:80/udp or 8000-8002:8000-8002';

export function portsOf(field: Field): Port[] {
  const ports = itemsOf(field).flatMap((item) =>
    isMap(item) ? [longPort(item)] : shortPort(item),
  );
  if (ports.length > portCountMax)
    refuse(field, `at most ${portCountMax} ports, ranges counted out`);
  const seen = new Set<string>();
  for (const port of ports) {
    const key = `${port.hostIp ?? ''} ${port.published}/${port.protocol}`;
    if (seen.has(key)) refuse(field, `free of repeats: ${key.trim()} is published twice`);
    seen.add(key);
  }
  return ports;
}

function longPort(field: Field): Port {
  const known = ['target', 'published', 'host_ip', 'protocol', 'mode', 'name', 'app_protocol'];
  const fields = fieldsOf(field, known);
  const mode = fields.get('mode');
  if (mode !== undefined && !['host', 'ingress'].includes(textOf(mode)))
    refuse(mode, 'host or ingress');
  const hostIp = fields.get('host_ip');
  const protocol = fields.get('protocol');
  return {
    ...(hostIp === undefined ? {} : { hostIp: addressOf(hostIp, textOf(hostIp)) }),
    published: wholeOf(need(fields, field, 'published'), 1, 65_535),
    target: wholeOf(need(fields, field, 'target'), 1, 65_535),
    protocol: protocol === undefined ? 'tcp' : protocolOf(protocol, textOf(protocol)),
  };
}

function shortPort(field: Field): Port[] {
  const text = textOf(field, form);
  const parts =
    /^(?:(?:(\[[0-9a-fA-F:.]+\]|[0-9.]+):)?(\d+(?:-\d+)?):)?(\d+(?:-\d+)?)(?:\/([a-z]+))?$/.exec(
      text,
    );
  if (parts === null) refuse(field, form);
  const [, address, published, target, protocol] = parts;
  if (published === undefined) {
    refuse(field, `given the port on the device too: ${target}:${target}, not ${target} alone`);
  }
  const from = rangeOf(field, published);
  const to = rangeOf(field, target ?? '');
  if (from.length !== to.length) refuse(field, 'two ranges of the same length');
  return from.map((port, at) => ({
    ...(address === undefined
      ? {}
      : { hostIp: addressOf(field, address.replaceAll(/[[\]]/g, '')) }),
    published: port,
    target: to[at] ?? port,
    protocol: protocolOf(field, protocol ?? 'tcp'),
  }));
}

function rangeOf(field: Field, text: string): number[] {
  const [first = 0, last = first] = text.split('-').map(Number);
  const isSound = first >= 1 && last <= 65_535 && first <= last && last - first < portCountMax;
  if (!isSound) refuse(field, `of ports from 1 to 65535, a range of at most ${portCountMax}`);
  return Array.from({ length: last - first + 1 }, (_, at) => first + at);
}

function addressOf(field: Field, text: string): string {
  return isIP(text) === 0 ? refuse(field, 'an IP address of the device, not a name') : text;
}

function protocolOf(field: Field, text: string): 'tcp' | 'udp' {
  return text === 'tcp' || text === 'udp' ? text : refuse(field, 'of protocol tcp or udp');
}

/** `expose` says what an image listens on; between workloads of one network every port is open anyway. */
export function checkExpose(field: Field): void {
  for (const item of itemsOf(field)) {
    const isFine = /^\d{1,5}(-\d{1,5})?(\/(tcp|udp))?$/.test(textOf(item));
    if (!isFine) refuse(item, 'a port like 80, 80/udp or 80-82');
  }
}
