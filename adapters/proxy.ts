// SPDX-License-Identifier: Apache-2.0
// Which proxy a URL is asked through: the rules of the environment (http_proxy, https_proxy, all_proxy, no_proxy, in
// either case) or of a configuration, read as Go programs read them, so that docker, podman and we agree.
// Loopback is never asked through a proxy. It opens nothing: tunnel.ts does.

import { BlockList, isIP } from 'node:net';
import { CodedError } from '../protocol/error.js';

export interface ProxyServer {
  /** `http`: CONNECT (RFC 9110 §9.3.6); `socks5`: RFC 1928, names are looked up by the proxy. */
  readonly kind: 'http' | 'socks5';
  readonly host: string;
  readonly port: number;
  readonly username?: string;
  readonly password?: string;
}

export interface ProxyRules {
  readonly http?: ProxyServer | undefined;
  readonly https?: ProxyServer | undefined;
  /** As in NO_PROXY: `*`, names and `.suffixes`, addresses, CIDR; a name may carry a port. */
  readonly noProxy: readonly string[];
}

const ruleCountMax = 256;
/** As curl and Go take it where none is given. */
const usualPorts = { http: 80, socks5: 1080 } as const;

/** @throws CONFIG_BAD naming `where` */
export function parseProxy(text: string, where: string): ProxyServer {
  const url = urlOf(text);
  const kind = url === null ? undefined : kindOf(url.protocol);
  if (url === null || kind === undefined || url.hostname === '') {
    throw new CodedError(
      'CONFIG_BAD',
      `${where}: must be http://[USER:PASS@]HOST[:PORT] or socks5://…`,
    );
  }
  const { username, password } = url;
  return {
    kind,
    host: bare(url.hostname),
    port: url.port === '' ? usualPorts[kind] : Number(url.port),
    ...(username === '' ? {} : { username: decodeURIComponent(username) }),
    ...(password === '' ? {} : { password: decodeURIComponent(password) }),
  };
}

function urlOf(text: string): URL | null {
  try {
    return new URL(withScheme(text));
  } catch {
    return null; // told by the caller
  }
}

/** A proxy without a scheme means http, as everywhere. */
function withScheme(text: string): string {
  return text.includes('://') ? text : `http://${text}`;
}

function kindOf(protocol: string): ProxyServer['kind'] | undefined {
  if (protocol === 'http:') return 'http';
  return protocol === 'socks5:' || protocol === 'socks5h:' ? 'socks5' : undefined;
}

/** @throws CONFIG_BAD with the variable's name */
export function proxyFromEnv(env: NodeJS.ProcessEnv): ProxyRules {
  const read = (...names: readonly string[]): ProxyServer | undefined => {
    for (const name of names) {
      const text = env[name];
      if (text !== undefined && text !== '') return parseProxy(text, name);
    }
    return undefined;
  };
  const no = env['no_proxy'] ?? env['NO_PROXY'] ?? '';
  return {
    http: read('http_proxy', 'HTTP_PROXY', 'all_proxy', 'ALL_PROXY'),
    https: read('https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY'),
    noProxy: splitNoProxy(no),
  };
}

export function splitNoProxy(text: string): string[] {
  return text
    .split(/[\s,]+/)
    .filter((word) => word !== '')
    .slice(0, ruleCountMax);
}

/** Undefined = straight. */
export function proxyFor(rules: ProxyRules, url: URL): ProxyServer | undefined {
  const isTls = url.protocol === 'https:' || url.protocol === 'wss:';
  const proxy = isTls ? rules.https : rules.http;
  if (proxy === undefined) return undefined;
  const host = bare(url.hostname).toLowerCase();
  const port = url.port === '' ? (isTls ? '443' : '80') : url.port;
  const isExempt = isLoopbackName(host) || rules.noProxy.some((rule) => covers(rule, host, port));
  return isExempt ? undefined : proxy;
}

function isLoopbackName(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

function covers(rule: string, host: string, port: string): boolean {
  if (rule === '*') return true;
  if (rule.includes('/')) return isIn(rule, host);
  const [name, rulePort] = splitPort(rule.toLowerCase());
  if (rulePort !== undefined && rulePort !== port) return false;
  if (isIP(name) !== 0) return name === host;
  const plain = name.replace(/^\*\./, '.');
  return plain.startsWith('.')
    ? host.endsWith(plain)
    : host === plain || host.endsWith(`.${plain}`);
}

function splitPort(rule: string): [string, string | undefined] {
  const match = /^(\[[0-9a-f:.]+\]|[^:]*):(\d{1,5})$/.exec(rule);
  return match === null ? [bare(rule), undefined] : [bare(match[1] ?? ''), match[2]];
}

function isIn(rule: string, host: string): boolean {
  const family = isIP(host);
  const [base = '', bits = ''] = rule.split('/', 2);
  const isSound = family !== 0 && isIP(base) === family && /^\d{1,3}$/.test(bits);
  if (!isSound || Number(bits) > (family === 4 ? 32 : 128)) return false;
  const list = new BlockList();
  list.addSubnet(base, Number(bits), family === 4 ? 'ipv4' : 'ipv6');
  return list.check(host, family === 4 ? 'ipv4' : 'ipv6');
}

/** An IPv6 address without its brackets. */
function bare(host: string): string {
  return host.replace(/^\[|\]$/g, '');
}
