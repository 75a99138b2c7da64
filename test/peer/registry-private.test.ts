// SPDX-License-Identifier: Apache-2.0
// A private registry, Debian's docker-registry with a password file: a whole device pulls from it once the operator
// has logged in, and no more after the logout. The password is then looked for in every file of the world.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeLayout } from '../kit/edges-registry.js';
import { needs } from '../kit/needs.js';
import { peerRegistry, startPeerRegistry } from '../kit/world/nginx.js';
import { runIn, until } from '../kit/world/program.js';
import { openStage } from '../kit/world/site.js';

const peer = needs(['root', 'nft', 'ip', 'skopeo', 'docker-registry', 'perl']);
const fleetProgram = fileURLToPath(new URL('../../fleet/main.js', import.meta.url));
const password = 'word-8d1f77-of-it';

function filesBelow(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return filesBelow(path);
    return entry.isFile() ? [path] : [];
  });
}

peer(
  'a device pulls from a private registry after a login of the operator, and not after the logout',
  async (t) => {
    const stage = await openStage(t, 'priv', ['a']);
    const { world, devices } = stage;
    const [device] = devices as [(typeof devices)[0]];
    const script = `print crypt("${password}", '$2b$05$abcdefghijklmnopqrstuu')`;
    const { stdout: hash } = await runIn(undefined, ['perl', '-e', script]);
    const certDir = await startPeerRegistry(world, `ci:${hash}\n`);
    await device.trustRegistry(peerRegistry, readFileSync(join(certDir, 'ca.crt'), 'utf8'));
    const layout = join(world.root, 'layout');
    await writeLayout(layout, 'private');
    for (const tag of ['v1', 'v2']) {
      const target = `docker://${peerRegistry}/private/web:${tag}`;
      const copy = [
        'copy',
        '--insecure-policy',
        '--dest-cert-dir',
        certDir,
        '--dest-creds',
        `ci:${password}`,
      ];
      const { code, stderr } = await runIn(world.site.netns, [
        'skopeo',
        ...copy,
        `oci:${layout}:v1`,
        target,
      ]);
      t.is(code, 0, stderr);
    }
    const pull = (tag: string) =>
      device.cli(['pull', `${peerRegistry}/private/web:${tag}`], { mayFail: true });

    const before = await pull('v1');
    t.regex(before.stderr, /REGISTRY_AUTH/);
    const login = `printf %s ${password} | ${process.execPath} ${fleetProgram} registry login ${peerRegistry} -u ci --password-stdin --root ${world.fleet.root}`;
    const said = await runIn(world.site.netns, ['sh', '-c', login]);
    t.is(said.code, 0, said.stderr);
    await until('the device can pull', 10_000, async () =>
      (await pull('v1')).code === 0 ? true : undefined,
    );

    // It is there after a crash as well, with the broker away.
    await world.fleet.stop();
    await device.kill();
    await device.start();
    await until('the device can pull again', 10_000, async () =>
      (await pull('v2')).code === 0 ? true : undefined,
    );
    await world.fleet.start();

    await world.fleet.cli(['registry', 'logout', peerRegistry]);
    await until('the device has lost the login', 10_000, async () =>
      (await pull('v1')).stderr.includes('REGISTRY_AUTH') ? true : undefined,
    );
    const holders = filesBelow(world.root).filter((path) => {
      const bytes = readFileSync(path);
      return (
        bytes.includes(password) || bytes.includes(Buffer.from(`ci:${password}`).toString('base64'))
      );
    });
    t.deepEqual(holders, []);
  },
);
