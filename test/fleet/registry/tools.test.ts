// SPDX-License-Identifier: Apache-2.0
// The registry with the tools that people have: skopeo and buildah, over mutual TLS with certificates in
// Docker's certs.d layout.

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { run } from '../../../adapters/exec.js';
import type { Credentials } from '../../kit/edges-fleet.js';
import { aRegistry, writeLayout } from '../../kit/edges-registry.js';
import { needsBeside } from '../../kit/needs.js';

async function certDir(dir: string, credentials: Credentials): Promise<string> {
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, 'ca.crt'), credentials.ca);
  await writeFile(join(dir, 'client.cert'), credentials.cert);
  await writeFile(join(dir, 'client.key'), credentials.key);
  return dir;
}

async function must(
  t: ExecutionContext,
  program: string,
  args: readonly string[],
): Promise<string> {
  const { code, stdout, stderr } = await run(program, args, { timeoutMs: 30_000 });
  t.is(code, 0, `${program} ${args.join(' ')}: ${stderr}`);
  return stdout;
}

needsBeside(['skopeo'])(
  'skopeo pushes as an operator, inspects and copies back the same image as a device',
  async (t) => {
    const { fleet, port, operator, dir } = await aRegistry(t);
    const source = join(fleet.dir, 'image');
    await writeLayout(source, 'hello');
    const certs = await certDir(join(fleet.dir, 'operator'), operator);
    const image = `docker://127.0.0.1:${port}/acme/web:v1`;
    await must(t, 'skopeo', ['copy', '--dest-cert-dir', certs, `oci:${source}:v1`, image]);

    const device = await certDir(join(fleet.dir, 'device'), await fleet.device('pump-1'));
    const seen = await must(t, 'skopeo', ['inspect', '--cert-dir', device, image]);
    const { RepoTags, Digest } = JSON.parse(seen) as { RepoTags: string[]; Digest: string };
    t.deepEqual(RepoTags, ['v1']);

    const back = join(fleet.dir, 'back');
    await must(t, 'skopeo', ['copy', '--src-cert-dir', device, image, `oci:${back}:v1`]);
    const index = async (at: string): Promise<string> =>
      (
        JSON.parse(await readFile(join(at, 'index.json'), 'utf8')) as {
          manifests: [{ digest: string }];
        }
      ).manifests[0].digest;
    t.is(await index(back), Digest);
    t.is(await index(source), Digest);

    // The repository's folder is itself an OCI layout.
    const layout = join(dir, 'repositories/acme,web');
    const raw = await must(t, 'skopeo', ['inspect', '--raw', `oci:${layout}:v1`]);
    t.is((JSON.parse(raw) as { schemaVersion: number }).schemaVersion, 2);

    const refused = await run('skopeo', [
      'copy',
      '--dest-cert-dir',
      device,
      `oci:${source}:v1`,
      `docker://127.0.0.1:${port}/acme/web:v2`,
    ]);
    t.not(refused.code, 0);
  },
);

needsBeside(['root', 'buildah', 'skopeo'])(
  'buildah pushes an image that skopeo then reads',
  async (t) => {
    const { fleet, port, operator } = await aRegistry(t);
    const storage = [
      ...['--root', join(fleet.dir, 'storage'), '--runroot', join(fleet.dir, 'run')],
      ...['--storage-driver', 'vfs'],
    ];
    const certs = await certDir(join(fleet.dir, 'operator'), operator);
    const name = (await must(t, 'buildah', [...storage, 'from', 'scratch'])).trim();
    await must(t, 'buildah', [...storage, 'config', '--cmd', '/hello', name]);
    await must(t, 'buildah', [...storage, 'commit', name, 'hello']);
    const image = `docker://127.0.0.1:${port}/built:v1`;
    await must(t, 'buildah', [...storage, 'push', '--cert-dir', certs, 'hello', image]);
    const seen = await must(t, 'skopeo', ['inspect', '--config', '--cert-dir', certs, image]);
    t.deepEqual((JSON.parse(seen) as { config: { Cmd: string[] } }).config.Cmd, ['/hello']);
  },
);
