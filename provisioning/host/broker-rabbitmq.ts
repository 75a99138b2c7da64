// SPDX-License-Identifier: Apache-2.0
// RabbitMQ 3.10 with rabbitmq_mqtt: mutual TLS, the certificate's name as user. Users without a password, their
// permissions and topic permissions stand in definitions.json, so a device must be imported before it may come.
// RabbitMQ's topics have dots for MQTT's slashes; none of ours has a dot in it.

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

const exchange = 'amq.topic';

export function rabbitmqFiles({ folder, listen, port, roster }: BrokerFacts): BrokerFiles {
  const host = listen.includes(':') ? `[${listen}]` : listen;
  const conf = `# Written by wherry-provision broker-config; run it again rather than edit.
listeners.tcp = none
mqtt.listeners.tcp = none
mqtt.listeners.ssl.1 = ${host}:${port}
ssl_options.cacertfile = ${folder}/ca.crt
ssl_options.certfile = ${folder}/server.pem
ssl_options.keyfile = ${folder}/server.pem
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
ssl_cert_login_from = common_name
mqtt.ssl_cert_login = true
mqtt.allow_anonymous = false
mqtt.exchange = ${exchange}
mqtt.prefetch = 20
load_definitions = ${folder}/definitions.json
`;
  // One node, which nobody but this host can reach by Erlang's own way.
  const env = `NODENAME=wherry@localhost
CONFIG_FILE=${folder}/rabbitmq.conf
ENABLED_PLUGINS_FILE=${folder}/enabled_plugins
MNESIA_BASE=${folder}/data
LOG_BASE=${folder}/log
export ERL_EPMD_ADDRESS=127.0.0.1
SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1}"
`;
  const tool = `RABBITMQ_CONF_ENV_FILE=${folder}/rabbitmq-env.conf rabbitmqctl`;
  return {
    files: {
      'rabbitmq.conf': conf,
      'rabbitmq-env.conf': env,
      enabled_plugins: '[rabbitmq_mqtt].\n',
      revoked: roster.revoked.map((device) => `${commonName(roster.tenant, device)}\n`).join(''),
      'definitions.json': `${JSON.stringify(definitionsOf(roster), null, 1)}\n`,
    },
    start: `RABBITMQ_CONF_ENV_FILE=${folder}/rabbitmq-env.conf rabbitmq-server`,
    // An import adds and changes, and takes nobody away; deleting also ends the connections.
    reload: `${tool} import_definitions ${folder}/definitions.json
${tool} -q list_users | cut -f1 | grep -Fxf ${folder}/revoked | while read -r user; do ${tool} delete_user "$user"; done`,
  };
}

interface Account {
  readonly name: string;
  readonly rules: Rules;
}

function definitionsOf({ tenant, devices }: BrokerFacts['roster']): object {
  const accounts: Account[] = [
    { name: linkName(tenant), rules: linkRules(tenant) },
    ...operatorNames.map((name) => ({ name, rules: operatorRules(tenant) })),
    ...devices.map((device) => {
      const name = commonName(tenant, device);
      return { name, rules: deviceRules(tenant, name) };
    }),
  ];
  return {
    users: accounts.map(({ name }) => ({
      name,
      password_hash: '', // none fits: only the certificate lets in
      hashing_algorithm: 'rabbit_password_hashing_sha256',
      tags: '',
    })),
    vhosts: [{ name: '/' }],
    permissions: accounts.map(permissionOf),
    topic_permissions: accounts.map(({ name, rules }) => ({
      user: name,
      vhost: '/',
      exchange,
      write: patternOf(rules.write),
      read: patternOf(rules.read),
    })),
  };
}

/** The queue of its own subscriptions, whose name has the client id: no other id will do for it. */
function permissionOf({ name }: Account): object {
  const queue = `mqtt-subscription-${quoted(name)}(\\..*)?qos[01]`;
  return {
    user: name,
    vhost: '/',
    configure: `^${queue}$`,
    write: `^(${queue}|${quoted(exchange)})$`,
    read: `^(${queue}|${quoted(exchange)})$`,
  };
}

/** MQTT's filters as one regular expression over RabbitMQ's routing keys. */
function patternOf(filters: readonly string[]): string {
  const parts = filters.map((filter) =>
    filter
      .split('/')
      .map((level) => (level === '#' ? '.+' : level === '+' ? '[^.]+' : quoted(level)))
      .join('\\.'),
  );
  return `^(${parts.join('|')})$`;
}

const quoted = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
