// SPDX-License-Identifier: Apache-2.0
// NATS server 2.9 with MQTT: mutual TLS, each certificate's subject mapped to a user with permissions of its
// own, so that a device must stand in users.conf before it may come. MQTT needs JetStream; what it stores is
// soft state.

import { commonName } from '../../protocol/name.js';
import { linkName, organisation } from '../authority/identity.js';
import type { BrokerFacts, BrokerFiles } from './broker-config.js';
import {
  deviceRules,
  linkRules,
  operatorNames,
  operatorRules,
  type Rules,
} from './broker-rules.js';

export function natsFiles({ folder, listen, port, roster }: BrokerFacts): BrokerFiles {
  const host = listen.includes(':') ? `[${listen}]` : listen;
  const tls = `{
    cert_file: "${folder}/server.pem"
    key_file: "${folder}/server.pem"
    ca_file: "${folder}/ca.crt"
    verify_and_map: true
    timeout: 10
  }`;
  const conf = `# Written by wherry-provision broker-config; run it again rather than edit.
server_name: "wherry-${roster.tenant}"
# NATS clients: here only, and with a certificate like everybody.
listen: "127.0.0.1:4222"
tls ${tls}
pid_file: "${folder}/nats.pid"
max_payload: 512KB
jetstream {
  store_dir: "${folder}/data"
  max_memory_store: 64MB
  max_file_store: 2GB
}
mqtt {
  listen: "${host}:${port}"
  tls ${tls}
}
include "users.conf"
`;
  return {
    files: { 'nats.conf': conf, 'users.conf': usersOf(roster) },
    start: `nats-server -c ${folder}/nats.conf`,
    reload: `nats-server --signal reload=${folder}/nats.pid`,
  };
}

function usersOf({ tenant, devices }: BrokerFacts['roster']): string {
  const users = [
    user(linkName(tenant), organisation.link, linkRules(tenant)),
    ...operatorNames.map((name) => user(name, organisation.operator, operatorRules(tenant))),
    ...devices.map((device) => {
      const name = commonName(tenant, device);
      return user(name, organisation.device, deviceRules(tenant, name));
    }),
  ];
  return `authorization {\n  users: [\n${users.join('\n')}\n  ]\n}\n`;
}

/**
 * Nobody gets what a QoS 1 subscription needs ($MQTT.sub.>): such a subscription goes dumb, without a word, when
 * the users are reloaded (seen with 2.9.10). With QoS 0 it goes on.
 */
function user(name: string, kind: string, { write, read }: Rules): string {
  const list = (filters: readonly string[]): string =>
    `[${filters.map((filter) => JSON.stringify(subjectOf(filter))).join(', ')}]`;
  return `    { user: "CN=${name},O=${kind}", permissions: { publish: ${list(write)}, subscribe: ${list(read)} } }`;
}

/** MQTT's filter as NATS's subject. */
function subjectOf(filter: string): string {
  return filter.replaceAll('/', '.').replaceAll('+', '*').replace(/#$/, '>');
}
