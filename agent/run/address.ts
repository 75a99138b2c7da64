// SPDX-License-Identifier: Apache-2.0
// The IPv4 address of a container: chosen once from its id, kept in its record, and so the same over every
// restart of container, agent and device. Pure: it is given the addresses that are taken.

import { createHash } from 'node:crypto';
import { CodedError } from '../../protocol/error.js';

/** .0 is the network, .1 the bridge, .255 the broadcast. */
const hostMin = 2;
const hostMax = 254;

/** @param subnet the first three octets. @throws RUN_ADDRESS if the subnet is full */
export function chooseAddress(subnet: string, id: string, taken: ReadonlySet<string>): string {
  const count = hostMax - hostMin + 1;
  const start = createHash('sha256').update(id).digest().readUInt32BE(0) % count;
  for (let at = 0; at < count; at += 1) {
    const address = `${subnet}.${hostMin + ((start + at) % count)}`;
    if (!taken.has(address)) return address;
  }
  throw new CodedError('RUN_ADDRESS', `all ${count} addresses of ${subnet}.0/24 are taken`, {
    subnet,
  });
}
