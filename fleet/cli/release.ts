// SPDX-License-Identifier: Apache-2.0
// `wherry-fleet release`: makes a release from a Compose file, signs it here, and hands it to the server. The
// release key never leaves this machine.

import { isUtf8 } from 'node:buffer';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { instantOf } from '../../adapters/clock.js';
import type { Command, Parsed } from '../../adapters/command.js';
import { placesOf } from '../../adapters/places.js';
import { jsonText, print, show } from '../../adapters/terminal.js';
import { signEnvelope } from '../../images/sign/envelope.js';
import type { ApiRelease } from '../../protocol/api.js';
import { payloadTypes } from '../../protocol/envelope.js';
import { CodedError, messageOf } from '../../protocol/error.js';
import { printable } from '../../protocol/text.js';
import { readReleaseKey } from '../operator.js';
import { type Compose, readCompose } from '../release/compose.js';
import { makeRelease, type Naming } from '../release/release.js';
import { openResolver } from '../release/resolve.js';
import { releaseVariables } from '../release/variables.js';
import { type Client, withClient } from './client.js';
import { rootOf, shortDigest } from './words.js';

const create: Command = {
  name: 'release create',
  about: 'Make, sign and upload a release from a Compose file',
  options: {
    file: {
      type: 'string',
      short: 'f',
      value: 'FILE',
      default: 'compose.yaml',
      about: 'Compose file',
    },
    app: { type: 'string', value: 'NAME', about: "App (default the file's top-level name)" },
    version: { type: 'string', value: 'V', about: 'Version for people (default the counter)' },
    'env-file': {
      type: 'string',
      multiple: true,
      value: 'FILE',
      about: 'Variables of the file; .env beside it by default',
    },
    var: { type: 'string', multiple: true, value: 'K=V', about: 'A variable, over those of files' },
    profile: {
      type: 'string',
      multiple: true,
      value: 'NAME',
      about: 'Take services of the profile too',
    },
  },
  run: async (parsed) => {
    const file = parsed.text('file') ?? 'compose.yaml';
    const compose = readCompose(await readText(file), file, {
      variables: await variablesOf(parsed, file),
      profiles: parsed.list('profile'),
      readText: readSmall,
    });
    const app = parsed.text('app') ?? compose.name;
    if (app === undefined)
      throw new CodedError('USAGE', `give --app, or a top-level name in ${file}`);
    for (const note of compose.notes) process.stderr.write(`note: ${printable(note)}\n`);
    const made = await withClient(rootOf(parsed), (client) => upload(client, parsed, compose, app));
    print(parsed.flag('json') ? jsonText(made) : `${made.app}:${made.version} ${made.digest}`);
    return 0;
  },
};

/** Those that are named must be there; .env need not be. */
async function variablesOf(parsed: Parsed, file: string): Promise<ReadonlyMap<string, string>> {
  const named = parsed.list('env-file');
  const beside = file === '-' ? '.env' : join(dirname(file), '.env');
  const paths = named.length > 0 ? named : existsSync(beside) ? [beside] : [];
  const files = await Promise.all(
    paths.map(async (path) => ({ file: path, text: await readText(path) })),
  );
  return releaseVariables(files, parsed.list('var'));
}

/** Of files that the Compose file names; each ends up in a release of 64 KiB. */
const besideBytesMax = 256 * 1024;

function readSmall(path: string): string {
  const { size } = statSync(path);
  if (size > besideBytesMax) throw new Error(`it is longer than ${besideBytesMax} bytes`);
  const bytes = readFileSync(path);
  if (!isUtf8(bytes)) throw new Error('it is no UTF-8 text');
  return bytes.toString('utf8');
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file === '-' ? '/dev/stdin' : file, 'utf8');
  } catch (error) {
    const what = `${file} cannot be read: ${messageOf(error)}`;
    throw new CodedError('COMPOSE_FILE', what, { file }, { cause: error });
  }
}

async function upload(
  client: Client,
  parsed: Parsed,
  compose: Compose,
  app: string,
): Promise<ApiRelease> {
  const { folder, endpoint } = client.operator;
  const key = await readReleaseKey(folder);
  const counter = (await lastCounter(client, app)) + 1;
  const version = parsed.text('version') ?? String(counter);
  const naming: Naming = { app, version, counter, createdAt: instantOf(Date.now()) };
  const { config } = placesOf(rootOf(parsed));
  const resolver = openResolver({ config, own: { folder, hosts: endpoint.registries } });
  try {
    const { bytes } = await makeRelease(compose, naming, resolver.resolve);
    const envelope = signEnvelope(payloadTypes.release, bytes, key);
    return await client.post<ApiRelease>('/v1/releases', { envelope });
  } finally {
    resolver.close();
  }
}

async function lastCounter(client: Client, app: string): Promise<number> {
  const query = `app=${encodeURIComponent(app)}&limit=1`;
  const [newest] = await client.get<ApiRelease[]>(`/v1/releases?${query}`);
  return newest?.counter ?? 0;
}

const list: Command = {
  name: 'release ls',
  about: 'List releases, newest first',
  options: { app: { type: 'string', value: 'NAME', about: 'Only this app' } },
  run: async (parsed) => {
    const app = parsed.text('app');
    const query = app === undefined ? '' : `&app=${encodeURIComponent(app)}`;
    const releases = await withClient(rootOf(parsed), (client) =>
      client.get<ApiRelease[]>(`/v1/releases?limit=1000${query}`),
    );
    const heads = ['RELEASE', 'COUNTER', 'DIGEST', 'CREATED', 'WORKLOADS'];
    show(releases, parsed.flag('json'), heads, (release) => [
      `${release.app}:${release.version}`,
      release.counter,
      shortDigest(release.digest),
      release.createdAt,
      release.workloads.map(({ name }) => name).join(','),
    ]);
    return 0;
  },
};

const inspect: Command = {
  name: 'release inspect',
  args: 'RELEASE',
  about: 'Show a release (APP:VERSION or digest) as JSON',
  run: async (parsed) => {
    const release = await withClient(rootOf(parsed), (client) =>
      client.get<{ envelope: { payload: string } }>(releasePath(parsed.args[0] ?? '')),
    );
    const document: unknown = JSON.parse(
      Buffer.from(release.envelope.payload, 'base64').toString(),
    );
    print(jsonText({ ...release, document }));
    return 0;
  },
};

export function releasePath(name: string): string {
  return `/v1/releases/${encodeURIComponent(name)}`;
}

export const releaseCommands: readonly Command[] = [create, list, inspect];
