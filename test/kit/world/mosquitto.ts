// SPDX-License-Identifier: Apache-2.0
// mosquitto_sub and mosquitto_pub in a namespace, with the certificate of a device or of the operator.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { placesOf } from '../../../adapters/places.js';
import { type Output, runIn } from './program.js';

export interface Who {
  readonly netns: string;
  /** Of the device or of the fleet. */
  readonly root: string;
  readonly kind: 'device' | 'operator';
  /** The common name of its certificate. */
  readonly name: string;
  /** Default: what the device was told, or the outside broker of the tests. */
  readonly port?: number;
}

export function mosquittoTool(
  who: Who,
  tool: 'sub' | 'pub',
  args: readonly string[],
  input?: string,
): Promise<Output> {
  const isDevice = who.kind === 'device';
  const config = placesOf(who.root, isDevice ? 'wherry' : 'wherry-fleet').config;
  const folder = join(config, isDevice ? 'identity' : 'operator');
  const at = (name: string): string => join(folder, name);
  const { host, port } = isDevice
    ? (JSON.parse(readFileSync(join(config, 'wherryd.json'), 'utf8')) as Address).mqtt
    : { host: '10.77.0.1', port: 8884 };
  const tls = ['--cafile', at('ca.crt'), '--cert', at('client.cert'), '--key', at('client.key')];
  const line = [`mosquitto_${tool}`, '-h', host, '-p', String(who.port ?? port), ...tls];
  const options = input === undefined ? {} : { input };
  return runIn(who.netns, [...line, '-i', who.name, ...args], options);
}

interface Address {
  readonly mqtt: { readonly host: string; readonly port: number };
}
