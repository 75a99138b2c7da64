// SPDX-License-Identifier: Apache-2.0
// `wherry-fleet registry`: logins of outside registries for the devices, and the fleet's own registry: its users,
// its audit log, its garbage. A password comes from standard input and is sealed before it leaves this program.

import type { Command, Parsed } from '../../adapters/command.js';
import { readSecret } from '../../adapters/stdin.js';
import { bytesText, jsonText, print, show } from '../../adapters/terminal.js';
import { seal } from '../../images/sign/seal.js';
import { CodedError } from '../../protocol/error.js';
import {
  type ApiAudit,
  type ApiLogin,
  type ApiRegistryUser,
  type ApiSwept,
  type Grant,
  grants as grantsCheck,
  registryHost,
} from '../../protocol/registry-api.js';
import { fleetSealDevice, registrySecret, sealContext } from '../../protocol/sealed.js';
import { withClient } from './client.js';
import { durationOf, rootOf } from './words.js';

const passwordOptions = {
  'password-stdin': { type: 'boolean', about: 'Read the password from standard input' },
} as const;

const login: Command = {
  name: 'registry login',
  args: 'HOST',
  about: 'Give every device the login of a registry, sealed to its own key',
  options: {
    username: { type: 'string', short: 'u', value: 'USER', about: 'User name (needed)' },
    ...passwordOptions,
  },
  run: async (parsed) => {
    const host = hostOf(parsed);
    const username = parsed.text('username');
    if (username === undefined || username === '') throw usage('login needs --username USER');
    const password = await passwordOf(parsed);
    await withClient(rootOf(parsed), async (client) => {
      const { tenant, publicKey } = await client.get<{ tenant: string; publicKey: string }>(
        '/v1/registry/seal-key',
      );
      const name = registrySecret(host);
      const context = sealContext({ tenant, device: fleetSealDevice, name, version: 0 });
      const secret = Buffer.from(JSON.stringify({ username, password }));
      const sealed = seal(secret, publicKey, context);
      await client.post('/v1/registry/logins', { host, username, sealed });
    });
    print(`${host}: devices log in as ${username}`);
    return 0;
  },
};

const logout: Command = {
  name: 'registry logout',
  args: 'HOST',
  about: 'Take the login of a registry from every device',
  run: async (parsed) => {
    const host = hostOf(parsed);
    await withClient(rootOf(parsed), (client) => client.post('/v1/registry/logout', { host }));
    print(host);
    return 0;
  },
};

const list: Command = {
  name: 'registry ls',
  about: 'List the registries that devices have a login for',
  run: async (parsed) => {
    const logins = await withClient(rootOf(parsed), (client) =>
      client.get<ApiLogin[]>('/v1/registry/logins'),
    );
    const heads = ['REGISTRY', 'USER', 'CHANGED', 'BY'];
    show(logins, parsed.flag('json'), heads, (one) => [
      one.host,
      one.username,
      one.changedAt,
      one.changedBy,
    ]);
    return 0;
  },
};

const user: Command = {
  name: 'registry user',
  args: 'VERB [NAME]',
  about: "Who may use the fleet's registry: add NAME, ls, rm NAME",
  options: {
    grant: {
      type: 'string',
      multiple: true,
      value: 'REPOSITORY=ROLE',
      about: 'pull, push or admin; a repository, team/* or * (default *=pull)',
    },
    certificate: {
      type: 'boolean',
      about: 'A rule for the operator who has the certificate of that name; no password',
    },
    ...passwordOptions,
  },
  run: async (parsed) => {
    const [verb, name] = parsed.args;
    if (verb === 'ls' && name === undefined) return listUsers(parsed);
    if (name === undefined) throw usage('user takes add NAME, rm NAME or ls');
    if (verb === 'add') return addUser(parsed, name);
    if (verb !== 'rm') throw usage(`user takes add, rm or ls, not '${verb}'`);
    await withClient(rootOf(parsed), (client) =>
      client.post(`/v1/registry/users/${encodeURIComponent(name)}/remove`),
    );
    print(name);
    return 0;
  },
};

async function addUser(parsed: Parsed, name: string): Promise<number> {
  const isOperator = parsed.flag('certificate');
  const body = {
    name,
    kind: isOperator ? 'operator' : 'user',
    grants: grantsOf(parsed),
    ...(isOperator || !parsed.flag('password-stdin') ? {} : { password: await passwordOf(parsed) }),
  };
  await withClient(rootOf(parsed), (client) => client.post('/v1/registry/users', body));
  print(name);
  return 0;
}

async function listUsers(parsed: Parsed): Promise<number> {
  const users = await withClient(rootOf(parsed), (client) =>
    client.get<ApiRegistryUser[]>('/v1/registry/users'),
  );
  show(users, parsed.flag('json'), ['NAME', 'BY', 'GRANTS'], (one) => [
    one.name,
    one.kind === 'user' ? 'password' : 'certificate',
    one.grants.map(({ repository, role }) => `${repository}=${role}`).join(',') || '-',
  ]);
  return 0;
}

function grantsOf(parsed: Parsed): Grant[] {
  const words = parsed.list('grant');
  const pairs = (words.length === 0 ? ['*=pull'] : words).map((word) => {
    const at = word.lastIndexOf('=');
    return { repository: word.slice(0, Math.max(at, 0)), role: word.slice(at + 1) };
  });
  try {
    return grantsCheck(pairs, '--grant');
  } catch (error) {
    throw usage((error as Error).message);
  }
}

const gc: Command = {
  name: 'registry gc',
  about: "Remove what no image of the fleet's registry needs, now",
  options: {
    unused: {
      type: 'string',
      value: 'TIME',
      default: '1h',
      about: 'Only what nobody asked for since; shorter may break a push that goes on',
    },
  },
  run: async (parsed) => {
    const unusedMs = durationOf(parsed, 'unused');
    const swept = await withClient(rootOf(parsed), (client) =>
      client.post<ApiSwept>('/v1/registry/gc', { unusedMs }),
    );
    const text = `${swept.count} blobs removed, ${bytesText(swept.bytes)} freed`;
    print(parsed.flag('json') ? jsonText(swept) : text);
    return 0;
  },
};

const audit: Command = {
  name: 'registry audit',
  about: "Show who did what to the fleet's registry, the newest last",
  options: { limit: { type: 'string', value: 'N', default: '100', about: 'Lines, at most 1000' } },
  run: async (parsed) => {
    const limit = parsed.integer('limit', { min: 1, max: 1000 }) ?? 100;
    const lines = await withClient(rootOf(parsed), (client) =>
      client.get<ApiAudit[]>(`/v1/registry/audit?limit=${limit}`),
    );
    const heads = ['AT', 'WHO', 'FROM', 'ACTION', 'REPOSITORY', 'REFERENCE', 'DIGEST', 'STATUS'];
    show(lines, parsed.flag('json'), heads, (line) => [
      line.at,
      line.who,
      line.address || '-',
      line.action,
      line.repository ?? '-',
      line.reference ?? '-',
      line.digest ?? '-',
      line.status ?? '-',
    ]);
    return 0;
  },
};

function hostOf(parsed: Parsed): string {
  const [text = ''] = parsed.args;
  try {
    return registryHost(text.toLowerCase(), 'HOST');
  } catch (error) {
    throw usage((error as Error).message);
  }
}

/** Never from the command line: that is for everybody to see. */
async function passwordOf(parsed: Parsed): Promise<string> {
  if (!parsed.flag('password-stdin')) throw usage('the password is read with --password-stdin');
  return readSecret();
}

function usage(what: string): CodedError {
  return new CodedError('USAGE', `${what}; see 'wherry-fleet registry --help'`);
}

export const registryCommands: readonly Command[] = [login, logout, list, user, gc, audit];
