// SPDX-License-Identifier: Apache-2.0
// login and logout: the credential store that docker and podman use, so that a login made there counts here and the
// other way round. A login is tried before it is kept.

import type { Command, Parsed } from '../../adapters/command.js';
import { readSecret } from '../../adapters/stdin.js';
import { print } from '../../adapters/terminal.js';
import { CodedError } from '../../protocol/error.js';
import { registryHost } from '../../protocol/registry-api.js';
import { authFilesOf, dropLogin, keepLogin } from '../registry/auth-file.js';
import { openClient, registryOptions, rootOf, withSignal } from './session.js';

const { creds: _creds, ...hostOptions } = registryOptions;

export const loginCommands: readonly Command[] = [
  {
    name: 'login',
    about: 'Log in to a registry, and keep the login where docker or podman keep theirs',
    args: 'HOST',
    options: {
      username: { type: 'string', short: 'u', value: 'USER', about: 'User name (needed)' },
      'password-stdin': {
        type: 'boolean',
        about: 'Read the password from standard input (needed)',
      },
      ...hostOptions,
    },
    run: login,
  },
  {
    name: 'logout',
    about: 'Forget the login of a registry',
    args: 'HOST',
    options: { authfile: hostOptions['authfile'] ?? { type: 'string', about: '' } },
    run: async (parsed) => {
      const host = hostOf(parsed);
      let count = 0;
      for (const path of filesOf(parsed)) count += (await dropLogin(path, host)) ? 1 : 0;
      if (count === 0) throw new CodedError('USAGE', `no login of ${host} is kept`);
      print(`${host}: the login is forgotten`);
      return 0;
    },
  },
];

async function login(parsed: Parsed): Promise<number> {
  const host = hostOf(parsed);
  const username = parsed.text('username');
  if (username === undefined || !parsed.flag('password-stdin')) {
    throw new CodedError('USAGE', 'login needs --username USER and --password-stdin');
  }
  const given = { username, password: await readSecret() };
  return withSignal(async (signal) => {
    const registry = await openClient(parsed, rootOf(parsed), () => given);
    try {
      await registry.login(host, signal);
    } finally {
      registry.close();
    }
    const [path = ''] = filesOf(parsed);
    print(`${host}: logged in as ${username}, kept in ${await keepLogin(path, host, given)}`);
    return 0;
  });
}

function filesOf(parsed: Parsed): readonly string[] {
  const file = parsed.text('authfile');
  return file === undefined ? authFilesOf(process.env) : [file];
}

function hostOf(parsed: Parsed): string {
  const [text = ''] = parsed.args;
  return registryHost(
    text
      .replace(/^https?:\/\//, '')
      .replace(/\/$/, '')
      .toLowerCase(),
    'HOST',
  );
}
