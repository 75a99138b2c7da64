// SPDX-License-Identifier: Apache-2.0
// What the commands share: the options that name registries, the client made from them, and the signal of a
// person's Ctrl-C, which ends transfers cleanly.

import { join } from 'node:path';
import type { Option, Parsed } from '../../adapters/command.js';
import { bytesText, progress } from '../../adapters/terminal.js';
import { CodedError } from '../../protocol/error.js';
import { cpuPlatform } from '../oci/cpu.js';
import { type Platform, parsePlatform } from '../oci/platform.js';
import { authFilesOf, credentialsFrom } from '../registry/auth-file.js';
import { certDirsOf } from '../registry/certs.js';
import { openRegistry, type Registry } from '../registry/client.js';
import { readSettings } from '../registry/settings.js';
import type { CredentialSource, Credentials } from '../registry/tokens.js';

export const registryOptions: Readonly<Record<string, Option>> = {
  'cert-dir': {
    type: 'string',
    value: 'DIR',
    about: 'Folder with HOST:PORT/{ca.crt,client.cert,client.key}, or with these files',
  },
  creds: { type: 'string', value: 'USER:PASS', about: 'Credentials for the registry' },
  authfile: {
    type: 'string',
    value: 'FILE',
    about: 'Logins of docker, podman or skopeo (default theirs, or $REGISTRY_AUTH_FILE)',
  },
  insecure: { type: 'boolean', about: 'Allow plain HTTP beyond loopback' },
};

export const jsonOption: Readonly<Record<string, Option>> = {
  json: { type: 'boolean', about: 'Print JSON' },
};

export const platformOptions: Readonly<Record<string, Option>> = {
  platform: {
    type: 'string',
    value: 'OS/ARCH[/VARIANT]',
    about: "Which image of an index (default this host's)",
  },
  all: { type: 'boolean', short: 'a', about: 'Every platform of an index' },
};

export interface Session {
  readonly root: string;
  readonly registry: Registry;
  readonly signal: AbortSignal;
  /** Shows `done` of `total` bytes, or what `text` says; a bar on a terminal. */
  progress(label: string, done: number, total: number, text?: string): void;
}

/** Runs `work` with a registry client and closes it. */
export async function withSession(
  parsed: Parsed,
  work: (session: Session) => Promise<number>,
): Promise<number> {
  const root = rootOf(parsed);
  const registry = await registryOf(parsed, root);
  const bar = progress();
  try {
    return await withSignal((signal) =>
      work({
        root,
        registry,
        signal,
        progress: (label, done, total, text) =>
          bar.update(label, done, total, text ?? `${bytesText(done)} / ${bytesText(total)}`),
      }),
    );
  } finally {
    bar.end();
    registry.close();
  }
}

export async function withSignal(work: (signal: AbortSignal) => Promise<number>): Promise<number> {
  const ended = new AbortController();
  const stop = (): void => ended.abort(new CodedError('CLOSED', 'stopped by Ctrl-C'));
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  try {
    return await work(ended.signal);
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
}

export function rootOf(parsed: Parsed): string {
  return parsed.text('root') ?? '/';
}

/** Undefined = the whole index. */
export function platformOf(parsed: Parsed): Platform | undefined {
  if (parsed.flag('all')) return undefined;
  const text = parsed.text('platform');
  return text === undefined ? cpuPlatform() : parsePlatform(text);
}

function registryOf(parsed: Parsed, root: string): Promise<Registry> {
  const given = credentialsOf(parsed.text('creds'));
  const file = parsed.text('authfile');
  const kept = credentialsFrom(file === undefined ? authFilesOf(process.env) : [file]);
  return openClient(parsed, root, given === undefined ? kept : () => given);
}

/** With the certificates, mirrors and proxies that are configured. @throws CONFIG_BAD */
export async function openClient(
  parsed: Parsed,
  root: string,
  credentials: CredentialSource,
): Promise<Registry> {
  const config = join(root, 'etc/wherry');
  return openRegistry({
    ...(await readSettings(config, process.env)),
    certDirs: certDirsOf(config, parsed.text('cert-dir')),
    insecure: parsed.flag('insecure'),
    credentials,
  });
}

function credentialsOf(text: string | undefined): Credentials | undefined {
  if (text === undefined) return undefined;
  const colon = text.indexOf(':');
  if (colon < 1) throw new CodedError('USAGE', '--creds takes USER:PASS');
  return { username: text.slice(0, colon), password: text.slice(colon + 1) };
}
