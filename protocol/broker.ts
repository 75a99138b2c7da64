// SPDX-License-Identifier: Apache-2.0
// Where an MQTT broker is and how it is spoken to: over TLS, or over a WebSocket over TLS. There is no way
// without TLS. It says nothing of proxies: those are the device's own.

import { type Checked, integer, object, oneOf, optional, string } from './check.js';
import { CodedError } from './error.js';

export const brokerAddress = object({
  host: string({ lengthMax: 255 }),
  port: integer(1, 65_535),
  /** Default mqtts. */
  transport: optional(oneOf('mqtts', 'wss')),
  /** Of the WebSocket; default /mqtt. */
  path: optional(string({ pattern: /^\/[A-Za-z0-9._~/-]{0,254}$/, form: 'a path' })),
});
export type BrokerAddress = Checked<typeof brokerAddress>;

const ports = { mqtts: 8883, wss: 443 } as const;

/** `mqtts://HOST[:PORT]` or `wss://HOST[:PORT][/PATH]`. @throws SHAPE_BAD */
export function parseBrokerUrl(text: string, where: string): BrokerAddress {
  const parts =
    /^(mqtts|wss):\/\/([A-Za-z0-9.-]{1,255}|\[[0-9A-Fa-f:]{2,45}\])(?::(\d{1,5}))?(\/[^?#]*)?$/.exec(
      text,
    );
  const transport = parts?.[1] === 'wss' ? 'wss' : 'mqtts';
  const path = parts?.[4] === '/' ? undefined : parts?.[4];
  if (parts === null || (transport === 'mqtts' && path !== undefined)) {
    throw new CodedError(
      'SHAPE_BAD',
      `${where}: must be mqtts://HOST[:PORT] or wss://HOST[:PORT]/PATH, not '${text.slice(0, 300)}'`,
    );
  }
  const address = {
    host: (parts[2] ?? '').replace(/^\[|\]$/g, ''),
    port: Number(parts[3] ?? ports[transport]),
    ...(transport === 'wss' ? { transport } : {}),
    ...(path === undefined ? {} : { path }),
  };
  return brokerAddress(address, where);
}

export function brokerUrl(address: BrokerAddress): string {
  const { host, port, transport = 'mqtts', path = '/mqtt' } = address;
  const name = host.includes(':') ? `[${host}]` : host;
  return `${transport}://${name}:${port}${transport === 'wss' ? path : ''}`;
}
