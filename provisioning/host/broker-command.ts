// SPDX-License-Identifier: Apache-2.0
// The command `wherry-provision broker-config`, run on the fleet's host.

import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import type { Command, Parsed } from '../../adapters/command.js';
import { print } from '../../adapters/terminal.js';
import { CodedError } from '../../protocol/error.js';
import type { BrokerKind } from './broker-config.js';

const kinds: readonly BrokerKind[] = ['mosquitto', 'nats', 'rabbitmq'];
const nameCountMax = 16;

export const brokerCommand: Command = {
  name: 'broker-config',
  about: "Write the configuration of mosquitto, nats or rabbitmq, on the fleet's host",
  args: 'BROKER',
  options: {
    output: { type: 'string', short: 'o', value: 'DIR', about: 'Folder to write to' },
    listen: { type: 'string', value: 'ADDR', default: '0.0.0.0', about: 'Address to listen on' },
    port: { type: 'string', value: 'PORT', default: '8883', about: 'Port to listen on' },
    name: {
      type: 'string',
      multiple: true,
      value: 'HOST',
      about: "Name or address by which the broker is reached (default this host's name)",
    },
    user: {
      type: 'string',
      value: 'USER',
      about: 'Account that the broker runs as: owner of the files',
    },
    quiet: { type: 'boolean', short: 'q', about: 'Do not say how to start and reload it' },
  },
  run: async (parsed) => {
    // Loaded here: enrolment on a device needs no X.509 library.
    const { writeBrokerConfig } = await import('./broker-config.js');
    const { start, reload } = await writeBrokerConfig({
      kind: kindOf(parsed),
      root: parsed.text('root') ?? '/',
      folder: folderOf(parsed),
      listen: listenOf(parsed),
      port: parsed.integer('port', { min: 1, max: 65_535 }) ?? 8883,
      names: namesOf(parsed),
      ...userOf(parsed),
    });
    if (!parsed.flag('quiet')) print(`# start\n${start}\n# after devices came or went\n${reload}`);
    return 0;
  },
};

function kindOf(parsed: Parsed): BrokerKind {
  const kind = kinds.find((known) => known === parsed.args[0]);
  if (kind !== undefined) return kind;
  throw new CodedError('USAGE', `broker-config takes ${kinds.join(', ')}, not '${parsed.args[0]}'`);
}

/** Goes into the brokers' own files, where a blank or a quote would mean something else. */
function folderOf(parsed: Parsed): string {
  const folder = resolve(parsed.text('output') ?? '');
  if (parsed.text('output') !== undefined && /^[A-Za-z0-9/._-]+$/.test(folder)) return folder;
  throw new CodedError('USAGE', '-o takes a folder of letters, digits, dots, dashes and slashes');
}

function listenOf(parsed: Parsed): string {
  const listen = parsed.text('listen') ?? '0.0.0.0';
  if (isIP(listen) !== 0) return listen;
  throw new CodedError('USAGE', `--listen takes an address, not '${listen}'`);
}

function userOf(parsed: Parsed): { user?: string } {
  const user = parsed.text('user');
  if (user === undefined || /^[a-z_][a-z0-9_-]{0,31}$/.test(user))
    return user === undefined ? {} : { user };
  throw new CodedError('USAGE', `--user takes the name of an account, not '${user}'`);
}

function namesOf(parsed: Parsed): readonly string[] {
  const names = parsed.list('name');
  const wrong = names.find((name) => !/^[A-Za-z0-9.:-]{1,253}$/.test(name));
  if (wrong !== undefined || names.length > nameCountMax) {
    throw new CodedError('USAGE', `--name takes a host, at most ${nameCountMax} times`);
  }
  return names.length > 0 ? names : [hostname()];
}
