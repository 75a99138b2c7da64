// SPDX-License-Identifier: Apache-2.0
// An ordinary image as other people's tools make it: nginx from Debian's packages with its libraries, built by
// buildah, pushed by skopeo to Debian's docker-registry, which listens with TLS in the site's namespace.

import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { placesOf } from '../../../adapters/places.js';
import { openAuthority } from '../../../provisioning/authority/authority.js';
import { fleetAddress } from './net.js';
import { type Output, runIn, until } from './program.js';
import { httpGet, type World } from './world.js';

export const peerRegistry = `${fleetAddress}:5443`;

const conf = `user www-data;
worker_processes 1;
error_log /dev/stderr;
events { worker_connections 64; }
http {
  access_log /dev/stdout;
  server { listen 80; location / { root /var/www; } }
}
`;

async function ok(output: Promise<Output>): Promise<string> {
  const { code, stdout, stderr } = await output;
  if (code !== 0) throw new Error(`${code}: ${stderr}${stdout}`);
  return stdout;
}

/** Files of nginx and every library that it and NSS need, from the installed Debian packages. */
async function makeTree(world: World): Promise<string> {
  const tree = join(world.root, 'nginx-tree');
  const linked = await ok(runIn(undefined, ['ldd', '/usr/sbin/nginx']));
  const libraries = [...linked.matchAll(/(\/lib\S+)/g)].map((match) => match[1] ?? '');
  const wanted = [
    '/usr/sbin/nginx',
    '/etc/nginx/mime.types',
    '/etc/passwd',
    '/etc/group',
    ...libraries,
  ];
  for (const path of wanted) {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    copyFileSync(path, join(tree, path));
  }
  for (const folder of ['var/log/nginx', 'var/lib/nginx', 'var/www', 'run', 'tmp']) {
    mkdirSync(join(tree, folder), { recursive: true });
  }
  writeFileSync(join(tree, 'etc/nginx/nginx.conf'), conf);
  writeFileSync(join(tree, 'var/www/index.html'), 'nginx from buildah\n');
  return tree;
}

/**
 * Starts docker-registry with a certificate of its own authority; the operator trusts it; gives a folder with its
 * ca.crt. `htpasswd`: lines of user:bcrypt, for one that wants a login.
 */
export async function startPeerRegistry(world: World, htpasswd?: string): Promise<string> {
  const folder = join(world.root, 'peer-registry');
  mkdirSync(folder, { recursive: true });
  const authority = await openAuthority(join(folder, 'authority'), {
    tenant: 'peer',
    names: [fleetAddress],
  });
  writeFileSync(join(folder, 'tls.key'), authority.server.key);
  writeFileSync(join(folder, 'tls.crt'), authority.server.cert);
  const trusted = join(placesOf(world.fleet.root).config, 'certs.d', peerRegistry);
  for (const certs of [join(folder, 'certs'), trusted]) {
    mkdirSync(certs, { recursive: true });
    writeFileSync(join(certs, 'ca.crt'), authority.certificatePem);
  }
  const users = join(folder, 'htpasswd');
  if (htpasswd !== undefined) writeFileSync(users, htpasswd);
  const auth =
    htpasswd === undefined ? '' : `auth: { htpasswd: { realm: peer, path: ${users} } }\n`;
  writeFileSync(
    join(folder, 'config.yml'),
    `version: 0.1
log: { level: warn }
storage: { filesystem: { rootdirectory: ${join(folder, 'data')} }, delete: { enabled: true } }
http: { addr: "${peerRegistry}", tls: { certificate: ${join(folder, 'tls.crt')}, key: ${join(folder, 'tls.key')} } }
${auth}`,
  );
  const serve = `exec docker-registry serve ${join(folder, 'config.yml')} >${join(folder, 'log')} 2>&1 </dev/null &`;
  await ok(runIn(world.site.netns, ['sh', '-c', serve]));
  await until('docker-registry listens', 20_000, async () => {
    const { stderr } = await runIn(world.site.netns, [
      process.execPath,
      '-e',
      `require('net').connect(5443, '${fleetAddress}').on('connect', () => process.exit(0)).on('error', () => process.exit(1))`,
    ]).then((output) => (output.code === 0 ? output : { stderr: undefined }));
    return stderr === undefined ? undefined : true;
  });
  return join(folder, 'certs');
}

/** Builds the image and pushes it; gives the digest of its manifest. */
export async function pushNginx(world: World, certDir: string): Promise<string> {
  const tree = await makeTree(world);
  const storage = join(world.root, 'buildah');
  const buildah = [
    'buildah',
    '--root',
    join(storage, 'root'),
    '--runroot',
    join(storage, 'run'),
    '--storage-driver',
    'vfs',
  ];
  const container = (await ok(runIn(undefined, [...buildah, 'from', 'scratch']))).trim();
  await ok(runIn(undefined, [...buildah, 'copy', container, tree, '/']));
  await ok(
    runIn(undefined, [
      ...buildah,
      'config',
      '--entrypoint',
      '["/usr/sbin/nginx","-g","daemon off;"]',
      '--port',
      '80',
      container,
    ]),
  );
  const layout = `oci:${join(world.root, 'nginx-layout')}:1`;
  await ok(runIn(undefined, [...buildah, 'commit', container, layout]));
  const target = `docker://${peerRegistry}/debian/nginx:1`;
  await ok(
    runIn(world.site.netns, [
      'skopeo',
      'copy',
      '--insecure-policy',
      '--dest-cert-dir',
      certDir,
      layout,
      target,
    ]),
  );
  return (
    await ok(
      runIn(world.site.netns, [
        'skopeo',
        'inspect',
        '--cert-dir',
        certDir,
        '--format',
        '{{.Digest}}',
        target,
      ]),
    )
  ).trim();
}

export async function nginxAnswers(world: World, address: string, port: number): Promise<void> {
  await until(`nginx answers on ${port}`, 30_000, async () =>
    (await httpGet(world.site.netns, `http://${address}:${port}/`))?.trim() === 'nginx from buildah'
      ? true
      : undefined,
  );
}
