// SPDX-License-Identifier: Apache-2.0
// Which URL goes through which proxy, by the rules of the environment.

import test from 'ava';
import { parseProxy, proxyFor, proxyFromEnv } from '../../adapters/proxy.js';
import { codeOf } from '../../protocol/error.js';

const via = (env: Record<string, string>, url: string): string | undefined => {
  const proxy = proxyFor(proxyFromEnv(env), new URL(url));
  return proxy === undefined ? undefined : `${proxy.kind} ${proxy.host}:${proxy.port}`;
};
const proxy = { https_proxy: 'http://p:8080' };

test('https and http have their own proxies, all_proxy is for both, and either case counts', (t) => {
  const env = { HTTPS_PROXY: 'http://a:1', http_proxy: 'b:2', all_proxy: 'socks5://c' };
  t.is(via(env, 'https://x.example'), 'http a:1');
  t.is(via(env, 'http://x.example'), 'http b:2');
  t.is(via({ ALL_PROXY: 'socks5h://c' }, 'https://x.example'), 'socks5 c:1080');
  t.is(via({}, 'https://x.example'), undefined);
  t.is(via({ https_proxy: '' }, 'https://x.example'), undefined);
});

test('NO_PROXY takes names, suffixes, ports, addresses, CIDR and the star', (t) => {
  const rules: ReadonlyArray<readonly [string, string, boolean]> = [
    ['x.example', 'https://x.example', true],
    ['x.example', 'https://a.x.example', true],
    ['x.example', 'https://ax.example', false],
    ['.x.example', 'https://a.x.example', true],
    ['.x.example', 'https://x.example', false],
    ['*.x.example', 'https://a.x.example', true],
    ['X.Example', 'https://x.example', true],
    ['x.example:443', 'https://x.example', true],
    ['x.example:5000', 'https://x.example', false],
    ['10.1.0.0/16', 'https://10.1.2.3:5000', true],
    ['10.1.0.0/16', 'https://10.2.2.3:5000', false],
    ['10.1.2.3', 'https://10.1.2.3:5000', true],
    ['fd00::/8', 'https://[fd12::1]:5000', true],
    ['fd00::/8', 'https://[fe80::1]:5000', false],
    ['[fd12::1]:5000', 'https://[fd12::1]:5000', true],
    ['nonsense/99, a , *', 'https://x.example', true],
    ['10.0.0.0/33', 'https://10.0.0.1', false],
  ];
  for (const [no_proxy, url, isExempt] of rules) {
    t.is(
      via({ ...proxy, no_proxy }, url),
      isExempt ? undefined : 'http p:8080',
      `${no_proxy} ${url}`,
    );
  }
});

test('loopback is never asked through a proxy', (t) => {
  for (const host of ['localhost:5000', '127.0.0.1', '127.8.9.1', '[::1]:5000']) {
    t.is(via(proxy, `https://${host}`), undefined, host);
  }
});

test('a proxy may have a login and an IPv6 address; what is none is refused with its name', (t) => {
  t.deepEqual(parseProxy('http://u:p%40ss@[fd00::1]:3128', 'x'), {
    kind: 'http',
    host: 'fd00::1',
    port: 3128,
    username: 'u',
    password: 'p@ss',
  });
  for (const text of ['https://p', 'ftp://p', 'http://', 'a b']) {
    const error = t.throws(() => proxyFromEnv({ HTTPS_PROXY: text }));
    t.is(codeOf(error), 'CONFIG_BAD', text);
    t.regex(String(error?.message), /^HTTPS_PROXY/);
  }
});
