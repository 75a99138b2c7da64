// SPDX-License-Identifier: Apache-2.0
// mosquitto 2.0: mutual TLS, the certificate's name as user and as client id (without the second, one device
// could take another's id and push it off), rules by pattern, so that no list of devices is needed but the
// revoked. It keeps nothing over a restart: the fleet fills it again.

import { packetBytesMax } from '../../adapters/packet-bound.js';
import { commonName } from '../../protocol/name.js';
import { linkName } from '../authority/identity.js';
import type { BrokerFacts, BrokerFiles } from './broker-config.js';
import {
  deviceRules,
  linkRules,
  operatorNames,
  operatorRules,
  type Rules,
} from './broker-rules.js';

export function mosquittoFiles({ folder, listen, port, user, roster }: BrokerFacts): BrokerFiles {
  const conf = `# Written by wherry-provision broker-config; run it again rather than edit.
per_listener_settings false
${user === undefined ? '' : `user ${user}\n`}listener ${port} ${listen}
cafile ${folder}/ca.crt
certfile ${folder}/server.pem
keyfile ${folder}/server.pem
tls_version tlsv1.2
require_certificate true
allow_anonymous false
use_identity_as_username true
use_username_as_clientid true
acl_file ${folder}/acl
max_packet_size ${packetBytesMax}
max_keepalive 1200
persistence false
pid_file ${folder}/mosquitto.pid
connection_messages false
log_dest stderr
log_type error
log_type warning
log_type notice
`;
  const conduct = `${folder}/mosquitto.conf`;
  return {
    files: { 'mosquitto.conf': conf, acl: aclOf(roster) },
    start: `mosquitto -c ${conduct}`,
    reload: `kill -HUP $(cat ${folder}/mosquitto.pid)`,
  };
}

function aclOf({ tenant, revoked }: BrokerFacts['roster']): string {
  const patterns = lines(deviceRules(tenant, '%u'), 'pattern');
  const users = [
    account(linkName(tenant), linkRules(tenant)),
    ...operatorNames.map((name) => account(name, operatorRules(tenant))),
  ];
  const denied = revoked.map((device) => `user ${commonName(tenant, device)}\ntopic deny #\n`);
  return [patterns, ...users, ...denied].join('\n');
}

function account(name: string, rules: Rules): string {
  return `user ${name}\n${lines(rules, 'topic')}`;
}

function lines({ write, read }: Rules, word: 'pattern' | 'topic'): string {
  const all = [
    ...write.map((filter) => `${word} write ${filter}`),
    ...read.map((filter) => `${word} read ${filter}`),
  ];
  return `${all.join('\n')}\n`;
}
