// SPDX-License-Identifier: Apache-2.0
// The embedded registry with the tools that people have: everything that skopeo, podman, buildah and wherry-image do
// to a registry, over TLS, with certificates and with a user's password, and what is left after it.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import { type ExecOptions, run } from '../../adapters/exec.js';
import type { Credentials } from '../kit/edges-fleet.js';
import { aRegistry, type TestRegistry, writeLayout } from '../kit/edges-registry.js';
import { needs } from '../kit/needs.js';

const withSkopeo = needs(['skopeo']);
const withAll = needs(['root', 'skopeo', 'podman', 'buildah']);
const wherryImage = fileURLToPath(new URL('../../images/cli/main.js', import.meta.url));
const password = 'a-good-password';

interface Bench extends TestRegistry {
  readonly host: string;
  readonly source: string;
  readonly certs: string;
  /** The authority alone: for those who log in with a password. */
  readonly trust: string;
  readonly auth: string;
}

function writeCerts(dir: string, { ca, cert, key }: Partial<Credentials>): string {
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'ca.crt'), ca ?? '');
  if (cert !== undefined && key !== undefined) {
    writeFileSync(join(dir, 'client.cert'), cert);
    writeFileSync(join(dir, 'client.key'), key);
  }
  return dir;
}

async function aBench(t: ExecutionContext): Promise<Bench> {
  const all = await aRegistry(t);
  const source = join(all.fleet.dir, 'image');
  await writeLayout(source, 'hello');
  const { ca } = all.operator;
  return {
    ...all,
    source,
    host: `127.0.0.1:${all.port}`,
    certs: writeCerts(join(all.fleet.dir, 'operator'), all.operator),
    trust: writeCerts(join(all.fleet.dir, 'trust'), { ca }),
    auth: join(all.fleet.dir, 'auth.json'),
  };
}

async function must(
  t: ExecutionContext,
  program: string,
  args: readonly string[],
  options: ExecOptions = {},
): Promise<string> {
  const { code, stdout, stderr } = await run(program, args, { timeoutMs: 60_000, ...options });
  t.is(code, 0, `${program} ${args.join(' ')}: ${stderr}${stdout}`);
  return stdout;
}

withSkopeo('skopeo copies, inspects, lists, syncs and deletes', async (t) => {
  const { host, source, certs, fleet, ask } = await aBench(t);
  const image = `docker://${host}/acme/web`;
  const copy = ['copy', '--dest-cert-dir', certs, `oci:${source}:v1`];
  for (const tag of ['v1', 'v2', 'v3']) await must(t, 'skopeo', [...copy, `${image}:${tag}`]);
  const listed = await must(t, 'skopeo', ['list-tags', '--cert-dir', certs, image]);
  t.deepEqual((JSON.parse(listed) as { Tags: string[] }).Tags, ['v1', 'v2', 'v3']);
  // Within the registry: blobs are mounted.
  const both = ['--src-cert-dir', certs, '--dest-cert-dir', certs];
  const moved = `docker://${host}/other/web:v1`;
  await must(t, 'skopeo', ['copy', ...both, `${image}:v1`, moved]);
  // Docker's own media types, and every platform of an index.
  await must(t, 'skopeo', [...copy, '--format', 'v2s2', `docker://${host}/docker/web:v1`]);
  const raw = await must(t, 'skopeo', [
    'inspect',
    '--raw',
    '--cert-dir',
    certs,
    `docker://${host}/docker/web:v1`,
  ]);
  t.regex(raw, /application\/vnd\.docker\.distribution\.manifest\.v2\+json/);
  const out = join(fleet.dir, 'sync');
  const sync = ['sync', '--src', 'docker', '--dest', 'dir', '--src-cert-dir', certs];
  await must(t, 'skopeo', [...sync, `${host}/acme/web`, out]);
  t.true(readFileSync(join(out, 'web:v2/manifest.json')).length > 0);
  await must(t, 'skopeo', [
    'sync',
    '--src',
    'dir',
    '--dest',
    'docker',
    '--dest-cert-dir',
    certs,
    out,
    `${host}/back`,
  ]);
  t.is((await ask('GET', '/v2/back/web/manifests/v3')).status, 200);
  await must(t, 'skopeo', ['delete', '--cert-dir', certs, moved]);
  t.is((await ask('GET', '/v2/other/web/manifests/v1')).status, 404);
  const gone = await run('skopeo', ['inspect', '--cert-dir', certs, moved]);
  t.not(gone.code, 0);
});

withAll(
  'podman logs in with a password, pushes and pulls; a user of pull only is refused',
  async (t) => {
    const { host, source, trust, auth, fleet, registry } = await aBench(t);
    const grants = [{ repository: 'team/*', role: 'push' as const }];
    await registry.access.put('ci', { kind: 'user', password, grants });
    await registry.access.put('reader', {
      kind: 'user',
      password,
      grants: [{ repository: '*', role: 'pull' }],
    });
    const storage = [
      ...['--root', join(fleet.dir, 'podman'), '--runroot', join(fleet.dir, 'podman-run')],
      ...['--storage-driver', 'vfs'],
    ];
    const podman = (...args: string[]): Promise<string> => must(t, 'podman', [...storage, ...args]);
    const login = [
      'login',
      '--cert-dir',
      trust,
      '--authfile',
      auth,
      '-u',
      'ci',
      '-p',
      password,
      host,
    ];
    await podman(...login);
    const wrong = await run('podman', [
      ...storage,
      ...login.map((word) => (word === password ? 'no' : word)),
    ]);
    t.not(wrong.code, 0);
    await podman(...login);
    const with_ = ['--cert-dir', trust, '--authfile', auth];
    const tar = join(fleet.dir, 'root.tar');
    await must(t, 'tar', ['-C', source, '-cf', tar, 'oci-layout']);
    const id = (await podman('import', tar)).trim();
    await podman('push', ...with_, id, `${host}/team/web:v1`);
    await podman('push', ...with_, '--format', 'v2s2', id, `${host}/team/web:docker`);
    await podman('rmi', '-af');
    await podman('pull', ...with_, `${host}/team/web:v1`);
    t.regex(await podman('images'), /team\/web/);
    const denied = await run('podman', [
      ...storage,
      'push',
      ...with_,
      `${host}/team/web:v1`,
      `${host}/other:v1`,
    ]);
    t.not(denied.code, 0);
    await podman(
      'login',
      '--cert-dir',
      trust,
      '--authfile',
      auth,
      '-u',
      'reader',
      '-p',
      password,
      host,
    );
    const push = ['push', ...with_, `${host}/team/web:v1`, `${host}/team/web:v9`];
    t.not((await run('podman', [...storage, ...push])).code, 0);
    const lines = await registry.audit.read(1000);
    t.true(
      lines.some(
        ({ who, action, reference }) =>
          who === 'user:ci' && action === 'push' && reference === 'v1',
      ),
    );
    t.true(lines.some(({ who, action }) => who === 'user:reader' && action === 'denied'));
  },
);

withAll(
  'buildah pushes a zstd image of two layers; the second push sends nothing again',
  async (t) => {
    const { host, certs, fleet, registry } = await aBench(t);
    const storage = [
      ...['--root', join(fleet.dir, 'buildah'), '--runroot', join(fleet.dir, 'buildah-run')],
      ...['--storage-driver', 'vfs'],
    ];
    const buildah = (...args: string[]): Promise<string> =>
      must(t, 'buildah', [...storage, ...args]);
    const name = (await buildah('from', 'scratch')).trim();
    await buildah('copy', name, fileURLToPath(import.meta.url), '/one');
    await buildah('commit', name, 'built');
    const push = ['push', '--cert-dir', certs, '--compression-format', 'zstd', 'built'];
    await buildah(...push, `docker://${host}/built:v1`);
    const before = (await registry.audit.read(1000)).filter(
      ({ action }) => action === 'upload',
    ).length;
    await buildah(...push, `docker://${host}/built:v2`);
    const after = (await registry.audit.read(1000)).filter(
      ({ action }) => action === 'upload',
    ).length;
    t.is(after, before);
  },
);

withSkopeo(
  'wherry-image and skopeo share their logins, and each sees what the other pushed',
  async (t) => {
    const { host, source, trust, auth, fleet, registry } = await aBench(t);
    await registry.access.put('ci', {
      kind: 'user',
      password,
      grants: [{ repository: '*', role: 'admin' }],
    });
    const env = { ...process.env, REGISTRY_AUTH_FILE: auth, HOME: fleet.dir };
    const image = (args: readonly string[], input = ''): Promise<string> =>
      must(t, process.execPath, [wherryImage, ...args, '--root', fleet.dir], { env, input });
    const certs = ['--cert-dir', trust];
    const failed = await run(
      process.execPath,
      [wherryImage, 'login', host, '-u', 'ci', '--password-stdin', ...certs, '--root', fleet.dir],
      { env, input: 'wrong' },
    );
    t.regex(failed.stderr, /REGISTRY_AUTH/);
    await image(['login', host, '-u', 'ci', '--password-stdin', ...certs], `${password}\n`);
    await image(['copy', `oci:${source}:v1`, `docker://${host}/a:v1`, ...certs]);
    const seen = await must(t, 'skopeo', ['inspect', ...certs, `docker://${host}/a:v1`], { env });
    t.deepEqual((JSON.parse(seen) as { RepoTags: string[] }).RepoTags, ['v1']);
    await must(
      t,
      'skopeo',
      ['copy', '--dest-cert-dir', trust, `oci:${source}:v1`, `docker://${host}/a:v2`],
      { env },
    );
    await image(['tag', `docker://${host}/a:v2`, 'v3', ...certs]);
    t.is((await image(['ls', `docker://${host}/a`, ...certs])).trim(), 'TAG\nv1\nv2\nv3');
    await image(['pull', `${host}/a:v3`, ...certs]);
    t.regex(await image(['ls']), new RegExp(`${host}/a:v3`));
    await image(['push', `${host}/a:v3`, `${host}/b:v1`, ...certs]);
    await image(['rm', `docker://${host}/a:v3`, ...certs]);
    t.is((await image(['ls', `docker://${host}/a`, ...certs])).trim(), 'TAG\nv1\nv2');
    await image(['logout', host]);
    t.deepEqual(JSON.parse(readFileSync(auth, 'utf8')), { auths: {} });
    const out = await run(
      process.execPath,
      [wherryImage, 'pull', `${host}/a:v1`, ...certs, '--root', fleet.dir],
      { env },
    );
    t.regex(out.stderr, /REGISTRY_AUTH/);
  },
);

/** A docker-credential-NAME as a shell script: it keeps logins in a folder. */
function writeKeychain(dir: string): string {
  const bin = join(dir, 'bin');
  mkdirSync(bin, { recursive: true });
  const file = join(bin, 'docker-credential-test');
  writeFileSync(
    file,
    `#!/bin/sh
name() { printf %s "$1" | tr -c 'A-Za-z0-9\\n' _; }
case "$1" in
store) cat > "${dir}/in"; n=$(sed 's/.*"ServerURL":"\\([^"]*\\)".*/\\1/' "${dir}/in"); mv "${dir}/in" "${dir}/kept_$(name "$n")" ;;
get) n=$(cat); cat "${dir}/kept_$(name "$n")" 2>/dev/null || { echo "credentials not found in native keychain"; exit 1; } ;;
erase) n=$(cat); rm "${dir}/kept_$(name "$n")" ;;
esac
`,
    { mode: 0o755 },
  );
  return dirname(file);
}

withSkopeo(
  'a credential program that config.json names is asked, by wherry-image and by skopeo alike',
  async (t) => {
    const { host, source, trust, fleet, registry } = await aBench(t);
    await registry.access.put('ci', {
      kind: 'user',
      password,
      grants: [{ repository: '*', role: 'push' }],
    });
    const bin = writeKeychain(join(fleet.dir, 'keychain'));
    const auth = join(fleet.dir, 'config.json');
    writeFileSync(auth, JSON.stringify({ auths: {}, credHelpers: { [host]: 'test' }, other: 1 }));
    const env = { ...process.env, REGISTRY_AUTH_FILE: auth, PATH: `${bin}:${process.env['PATH']}` };
    const image = (args: readonly string[], input = ''): Promise<string> =>
      must(t, process.execPath, [wherryImage, ...args, '--root', fleet.dir], { env, input });
    const said = await image(
      ['login', host, '-u', 'ci', '--password-stdin', '--cert-dir', trust],
      password,
    );
    t.regex(said, /kept in docker-credential-test/);
    t.false(readFileSync(auth, 'utf8').includes(Buffer.from(`ci:${password}`).toString('base64')));
    await image(['copy', `oci:${source}:v1`, `docker://${host}/a:v1`, '--cert-dir', trust]);
    await must(t, 'skopeo', ['inspect', '--cert-dir', trust, `docker://${host}/a:v1`], { env });
    await image(['logout', host]);
    const out = await run(
      process.execPath,
      [wherryImage, 'inspect', `docker://${host}/a:v1`, '--cert-dir', trust, '--root', fleet.dir],
      { env },
    );
    t.regex(out.stderr, /REGISTRY_AUTH/);
    const away = { ...env, PATH: '/usr/bin:/bin' };
    const missing = await run(
      process.execPath,
      [wherryImage, 'inspect', `docker://${host}/a:v1`, '--cert-dir', trust, '--root', fleet.dir],
      { env: away },
    );
    t.regex(missing.stderr, /REGISTRY_HELPER/);
  },
);
