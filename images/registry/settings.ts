// SPDX-License-Identifier: Apache-2.0
// registries.json: mirrors of a registry in order, which registries may be spoken to without TLS, and the proxy.
// A proxy named there takes the place of the environment's. Read once; a wrong file is an error, not a guess.

import { join } from 'node:path';
import { readIfThere } from '../../adapters/durable.js';
import {
  type ProxyRules,
  type ProxyServer,
  parseProxy,
  proxyFor,
  proxyFromEnv,
} from '../../adapters/proxy.js';
import { array, boolean, object, optional, record, string } from '../../protocol/check.js';
import { CodedError, messageOf } from '../../protocol/error.js';
import { parseJson } from '../../protocol/json.js';

export interface RegistrySettings {
  /** `host[:port][/prefix]`, asked in this order, before the registry itself. */
  mirrorsOf(host: string): readonly string[];
  /** Plain HTTP is allowed. */
  isInsecure(host: string): boolean;
  proxyFor(url: URL): ProxyServer | undefined;
}

const hostPattern = /^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(:\d{1,5})?$/;
const host = string({ pattern: hostPattern, form: 'host[:port] in lower case' });
const mirror = string({
  pattern:
    /^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(:\d{1,5})?(\/[a-z0-9]+([._-]+[a-z0-9]+)*)*$/,
  lengthMax: 512,
  form: 'host[:port][/prefix] in lower case',
});
const word = string({ lengthMax: 512 });
const file = object({
  registries: optional(
    record(host, object({ mirrors: optional(array(mirror, 8)), insecure: optional(boolean) }), 64),
  ),
  proxy: optional(
    object({
      /** For https, and for http where that has no proxy of its own. */
      https: optional(word),
      http: optional(word),
      noProxy: optional(array(word, 256)),
    }),
  ),
});

/** `configDir`: /etc/wherry. @throws CONFIG_BAD */
export async function readSettings(
  configDir: string,
  env: NodeJS.ProcessEnv,
): Promise<RegistrySettings> {
  const path = join(configDir, 'registries.json');
  const text = await readIfThere(path);
  let found: ReturnType<typeof file>;
  try {
    found = file(parseJson(String(text ?? '{}'), path), path);
  } catch (error) {
    throw new CodedError('CONFIG_BAD', messageOf(error), { path }, { cause: error });
  }
  const { registries = {}, proxy } = found;
  const rules = proxy === undefined ? proxyFromEnv(env) : rulesOf(proxy, path);
  const of = (name: string): { mirrors?: string[]; insecure?: boolean } | undefined =>
    Object.hasOwn(registries, name) ? registries[name] : undefined;
  return {
    mirrorsOf: (name) => of(name)?.mirrors ?? [],
    isInsecure: (name) => of(name)?.insecure === true,
    proxyFor: (url) => proxyFor(rules, url),
  };
}

function rulesOf(
  proxy: { https?: string; http?: string; noProxy?: string[] },
  path: string,
): ProxyRules {
  const read = (text: string | undefined, name: string): ProxyServer | undefined =>
    text === undefined || text === '' ? undefined : parseProxy(text, `${path}: proxy.${name}`);
  const https = read(proxy.https, 'https');
  return { https, http: read(proxy.http, 'http') ?? https, noProxy: proxy.noProxy ?? [] };
}
