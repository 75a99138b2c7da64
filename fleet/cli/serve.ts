// SPDX-License-Identifier: Apache-2.0
// `wherry-fleet serve`: the server in the foreground. It prints one line when all is up, logs to stderr, and
// ends cleanly on SIGTERM and SIGINT.

import type { Command, Parsed } from '../../adapters/command.js';
import { notifyReady } from '../../adapters/journal.js';
import type { LogLevel } from '../../adapters/log.js';
import { print } from '../../adapters/terminal.js';
import { type BrokerAddress, parseBrokerUrl } from '../../protocol/broker.js';
import { CodedError, messageOf } from '../../protocol/error.js';
import { tenant as tenantCheck } from '../../protocol/name.js';
import { bounds } from '../config.js';
import type { Served, ServeOptions } from '../serve.js';
import { rootOf } from './words.js';

const levels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent'];

export const serveCommand: Command = {
  name: 'serve',
  about: 'Run the fleet server: broker, registry, API',
  options: {
    listen: { type: 'string', value: 'ADDR', default: '0.0.0.0', about: 'Address to listen on' },
    'https-port': {
      type: 'string',
      value: 'PORT',
      default: '8443',
      about: 'Port of API and registry; 0 = any',
    },
    'mqtt-port': {
      type: 'string',
      value: 'PORT',
      default: '8883',
      about: 'Port of the broker; 0 = any',
    },
    name: {
      type: 'string',
      multiple: true,
      value: 'HOST',
      about: 'Name or address by which devices reach it; the first is put into claim codes',
    },
    broker: {
      type: 'string',
      value: 'URL',
      about: 'Outside broker (mqtts:// or wss://) in place of the embedded one',
    },
    registry: {
      type: 'string',
      multiple: true,
      value: 'HOST',
      about:
        'Outside registry that devices ask with their certificates, in place of the embedded one',
    },
    'no-registry': { type: 'boolean', about: 'No embedded registry' },
    'on-devices': {
      type: 'string',
      value: 'COMMAND',
      about: 'Shell command run after a device was enrolled or revoked, to tell an outside broker',
    },
    tenant: { type: 'string', value: 'NAME', default: 'main', about: 'Whose fleet it is' },
    'accept-empty-database': {
      type: 'boolean',
      about: 'Begin anew where the database is damaged or gone: every device must enrol again',
    },
    'log-level': { type: 'string', value: 'LEVEL', default: 'info', about: levels.join(', ') },
  },
  run: async (parsed) => {
    const level = levelOf(parsed);
    const ended = endSignal();
    // Loaded here, so that the other commands start without the broker, the database and X.509.
    const [{ serve }, { openLog }] = await Promise.all([
      import('../serve.js'),
      import('../../adapters/log.js'),
    ]);
    const log = openLog('wherry-fleet', level);
    const served = await serve({
      root: rootOf(parsed),
      listen: parsed.text('listen') ?? '0.0.0.0',
      httpsPort: parsed.integer('https-port', { min: 0, max: 65_535 }) ?? 8443,
      mqttPort: parsed.integer('mqtt-port', { min: 0, max: 65_535 }) ?? 8883,
      names: namesOf(parsed),
      ...outsideOf(parsed),
      tenant: tenantCheck(parsed.text('tenant'), '--tenant'),
      acceptEmptyDatabase: parsed.flag('accept-empty-database'),
      log,
    });
    const { host, httpsPort, broker } = served;
    print(`wherry-fleet ready https=${host}:${httpsPort} mqtt=${broker.host}:${broker.port}`);
    const unheard = await notifyReady();
    if (unheard !== undefined) log.warn({ error: unheard }, 'systemd was not told');
    log.info({ signal: await ended }, 'serve: told to end');
    await closeInTime(served);
    return 0;
  },
};

/** What an enrolment tells a device of registries has as many. */
const nameCountMax = 16;

function namesOf(parsed: Parsed): readonly string[] {
  const names = parsed.list('name');
  if (names.length <= nameCountMax) return names;
  throw new CodedError('USAGE', `--name can be given ${nameCountMax} times`);
}

/** What takes the place of embedded parts. @throws USAGE */
function outsideOf(parsed: Parsed): Pick<ServeOptions, 'broker' | 'registries' | 'onDevices'> {
  const url = parsed.text('broker');
  const hosts = parsed.list('registry');
  const wrong = hosts.find((host) => !/^[A-Za-z0-9.[\]:-]{1,255}$/.test(host));
  if (wrong !== undefined || hosts.length > nameCountMax) {
    throw new CodedError('USAGE', `--registry takes HOST[:PORT], at most ${nameCountMax} times`);
  }
  const onDevices = parsed.text('on-devices');
  return {
    ...(url === undefined ? {} : { broker: brokerOf(url) }),
    ...(hosts.length > 0 || parsed.flag('no-registry') ? { registries: hosts } : {}),
    ...(onDevices === undefined ? {} : { onDevices }),
  };
}

function brokerOf(url: string): BrokerAddress {
  try {
    return parseBrokerUrl(url, '--broker');
  } catch (error) {
    throw new CodedError('USAGE', messageOf(error), {}, { cause: error });
  }
}

function levelOf(parsed: Parsed): LogLevel {
  const word = parsed.text('log-level');
  const level = levels.find((known) => known === word);
  if (level !== undefined) return level;
  throw new CodedError('USAGE', `--log-level takes ${levels.join(', ')}, not '${word}'`);
}

function endSignal(): Promise<string> {
  return new Promise((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
  });
}

/** What does not end in time is cut off: the database is durable at every moment. */
async function closeInTime(served: Served): Promise<void> {
  const late = setTimeout(() => process.exit(0), bounds.closeMs);
  await served.close();
  clearTimeout(late);
}
