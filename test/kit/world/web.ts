// SPDX-License-Identifier: Apache-2.0
// The images of the story: a base layer with Debian's busybox-static, and a small web server on top, in as many
// versions as are asked for. The sick one answers, but says 503 to its own health check.

import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { registryHost, type World } from './world.js';

const applets = [
  'sh',
  'httpd',
  'wget',
  'cat',
  'ls',
  'sleep',
  'echo',
  'ps',
  'id',
  'true',
  'test',
  'env',
  'dd',
  'kill',
];

export interface WebImage {
  readonly version: string;
  readonly sick?: boolean;
  /** os/architecture of its programs; default this machine's. */
  readonly platform?: string;
}

/** Writes the base layer's folder once a world; `busybox` is a static one for the devices' side. */
export function makeBase(world: World, busybox = '/bin/busybox'): string {
  const base = join(world.root, 'images', 'base');
  mkdirSync(join(base, 'bin'), { recursive: true });
  mkdirSync(join(base, 'etc'), { recursive: true });
  mkdirSync(join(base, 'tmp'), { recursive: true });
  copyFileSync(busybox, join(base, 'bin/busybox'));
  for (const applet of applets) symlinkSync('busybox', join(base, 'bin', applet));
  writeFileSync(
    join(base, 'etc/passwd'),
    'root:x:0:0:root:/:/bin/sh\nwww:x:33:33:www:/srv:/bin/sh\n',
  );
  writeFileSync(join(base, 'etc/group'), 'root:x:0:\nwww:x:33:\n');
  return base;
}

/** Builds and pushes one version; gives its reference. */
export async function pushWeb(world: World, base: string, image: WebImage): Promise<string> {
  const app = join(world.root, 'images', image.version);
  mkdirSync(join(app, 'srv/cgi-bin'), { recursive: true });
  mkdirSync(join(app, 'etc'), { recursive: true });
  writeFileSync(join(app, 'srv/index.html'), `hello from ${image.version}\n`);
  const health =
    image.sick === true
      ? "printf 'Status: 503 Sick\\r\\n\\r\\nsick\\n'"
      : "printf 'Content-Type: text/plain\\r\\n\\r\\nok\\n'";
  writeFileSync(join(app, 'srv/cgi-bin/health'), `#!/bin/sh\n${health}\n`, { mode: 0o755 });
  writeFileSync(
    join(app, 'start'),
    `#!/bin/sh
trap 'kill $!; exit 0' TERM
echo "web ${image.version} listens on 8080"
httpd -f -v -p 8080 -h /srv &
wait $!
`,
    { mode: 0o755 },
  );
  const local = `oci:${join(world.root, 'images', 'layout')}:web-${image.version}`;
  const reference = `${registryHost}/web:${image.version}`;
  await world.image([
    'from-dir',
    base,
    app,
    '-t',
    reference,
    '-o',
    local,
    '--entrypoint',
    '["/start"]',
    '--expose',
    '8080',
    '--label',
    `org.opencontainers.image.version=${image.version}`,
    ...(image.platform === undefined ? [] : ['--platform', image.platform]),
  ]);
  const certDir = join(world.fleet.root, 'etc/wherry-fleet/operator');
  await world.image(['push', local, reference, '--cert-dir', certDir]);
  return reference;
}

export const healthTest =
  '["CMD", "wget", "-q", "-O", "-", "http://127.0.0.1:8080/cgi-bin/health"]';

export interface ComposeOptions {
  readonly interval?: string;
  /** Of one probe. */
  readonly timeout?: string;
  readonly bake?: string;
  readonly deadline?: string;
}

/** The Compose file of one version. */
export function composeFile(world: World, reference: string, options: ComposeOptions = {}): string {
  const path = join(world.root, `compose-${reference.split(':').at(-1)}.yaml`);
  writeFileSync(
    path,
    `name: web
services:
  web:
    image: ${reference}
    ports: ["8080:8080"]
    environment:
      GREETING: hello
    volumes: ["data:/data"]
    mem_limit: 32m
    cpus: 0.5
    pids_limit: 32
    restart: unless-stopped
    stop_grace_period: 2s
    healthcheck:
      test: ${healthTest}
      interval: ${options.interval ?? '500ms'}
      timeout: ${options.timeout ?? '2s'}
      retries: 3
      start_period: 1s
volumes:
  data: {}
x-wherry:
  gate:
    bake: ${options.bake ?? '1s'}
    deadline: ${options.deadline ?? '20s'}
`,
  );
  return path;
}
