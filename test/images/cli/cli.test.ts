// SPDX-License-Identifier: Apache-2.0
// wherry-image as people use it: real processes, real folders, Debian's registry and skopeo as the other side.

import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { parsePlace } from '../../../images/cli/place.js';
import { tempFolder } from '../../kit/images-certs.js';
import { startDockerRegistry } from '../../kit/images-docker-registry.js';
import { needs } from '../../kit/needs.js';

const main = fileURLToPath(new URL('../../../images/cli/main.js', import.meta.url));

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

interface Tool {
  readonly dir: string;
  (...args: string[]): Promise<Ran>;
}

function aTool(t: ExecutionContext): Tool {
  const dir = tempFolder(t);
  const tool = async (...args: string[]): Promise<Ran> => {
    const child = spawn(process.execPath, [main, ...args, '--root', join(dir, 'root')]);
    const text = { out: '', err: '' };
    child.stdout.on('data', (chunk) => {
      text.out += chunk;
    });
    child.stderr.on('data', (chunk) => {
      text.err += chunk;
    });
    const code = await new Promise<number>((resolve) => {
      child.once('close', (status) => resolve(status ?? -1));
    });
    return { code, ...text };
  };
  mkdirSync(join(dir, 'base/bin'), { recursive: true });
  writeFileSync(join(dir, 'base/bin/web'), 'x'.repeat(10_000), { mode: 0o755 });
  symlinkSync('web', join(dir, 'base/bin/sh'));
  mkdirSync(join(dir, 'app'));
  writeFileSync(join(dir, 'app/version'), 'v1');
  return Object.assign(tool, { dir });
}

const build = async (tool: Tool, ...args: string[]): Promise<Ran> =>
  tool('from-dir', join(tool.dir, 'base'), join(tool.dir, 'app'), ...args);

const jsonOf = (ran: Ran): Record<string, unknown> =>
  JSON.parse(ran.out) as Record<string, unknown>;

test('the same folders give the same digest, and another order another one', async (t) => {
  const tool = aTool(t);
  const first = jsonOf(await build(tool, '-t', 'localhost/web:v1', '--json'));
  const again = jsonOf(await build(tool, '-t', 'localhost/web:v2', '--json'));
  t.is(again['digest'], first['digest']);
  const other = await tool(
    'from-dir',
    join(tool.dir, 'app'),
    join(tool.dir, 'base'),
    '-t',
    'x',
    '--json',
  );
  t.not(jsonOf(other)['digest'], first['digest']);
});

needs(['skopeo'])('skopeo reads what from-dir wrote, with every setting', async (t) => {
  const tool = aTool(t);
  const layout = join(tool.dir, 'layout');
  const built = await build(
    tool,
    ...['-t', 'localhost/web:v1', '-o', `oci:${layout}`, '--compression', 'zstd'],
    ...[
      '--entrypoint',
      '["/bin/web"]',
      '--cmd',
      'serve 80',
      '-e',
      'A=b=c',
      '-u',
      '10:10',
      '-w',
      '/srv',
    ],
    ...['--expose', '80', '--expose', '53/udp', '-l', 'k=v', '--platform', 'linux/arm/v7'],
    ...['--created', '2026-01-31T12:00:00Z', '--stop-signal', 'SIGINT'],
    ...[
      '--healthcheck-cmd',
      'web check',
      '--healthcheck-interval',
      '1m30s',
      '--healthcheck-retries',
      '2',
    ],
  );
  t.is(built.code, 0, built.err);
  const skopeo = (...args: string[]): Record<string, unknown> =>
    JSON.parse(
      execFileSync('skopeo', [...args, `oci:${layout}:v1`], { encoding: 'utf8' }),
    ) as Record<string, unknown>;
  const seen = skopeo('inspect');
  t.like(seen, {
    Architecture: 'arm',
    Os: 'linux',
    Created: '2026-01-31T12:00:00Z',
    Env: ['A=b=c'],
  });
  t.like(skopeo('inspect', '--config'), {
    variant: 'v7',
    config: {
      User: '10:10',
      ExposedPorts: { '53/udp': {}, '80/tcp': {} },
      Entrypoint: ['/bin/web'],
      Cmd: ['serve', '80'],
      WorkingDir: '/srv',
      Labels: { k: 'v' },
      StopSignal: 'SIGINT',
    },
  });
  const own = await tool('inspect', `oci:${layout}:v1`);
  t.like(jsonOf(own), { Digest: seen['Digest'], Platform: 'linux/arm/v7', Os: 'linux' });
  t.like(jsonOf(own)['Config'] as object, {
    Healthcheck: { Test: ['CMD-SHELL', 'web check'], Interval: 90_000_000_000, Retries: 2 },
  });
  const raw = await tool('inspect', '--raw', `oci:${layout}`);
  t.is((JSON.parse(raw.out) as { schemaVersion: number }).schemaVersion, 2);
});

needs(['docker-registry', 'skopeo'])(
  'an image is pushed, pulled, copied, and is the same everywhere',
  async (t) => {
    const tool = aTool(t);
    const host = await startDockerRegistry(t);
    const { digest } = jsonOf(await build(tool, '-t', `${host}/a/web:v1`, '--json'));
    const pushed = await tool('push', `${host}/a/web:v1`, '--json');
    t.is(jsonOf(pushed)['digest'], digest, pushed.err);
    const again = await tool('push', `${host}/a/web:v1`, `${host}/a/web:v2`, '--json');
    t.is(jsonOf(again)['sentBytes'], 0, again.err);
    const peer = execFileSync('skopeo', [
      'inspect',
      '--tls-verify=false',
      `docker://${host}/a/web:v2`,
    ]);
    t.like(JSON.parse(peer.toString()), { Digest: digest });
    const pulled = await tool(
      'pull',
      `${host}/a/web@${digest}`,
      '-o',
      `oci:${tool.dir}/p:v1`,
      '--json',
    );
    t.is(jsonOf(pulled)['digest'], digest, pulled.err);
    const remote = await tool('inspect', `docker://${host}/a/web:v2`);
    t.is(jsonOf(remote)['Digest'], digest, remote.err);
    const copied = await tool('copy', `${host}/a/web:v1`, `${host}/b/other:v1`, '--json');
    t.is(jsonOf(copied)['digest'], digest, copied.err);
    t.is(jsonOf(copied)['sentBytes'], 0);
    const absent = await tool('pull', `${host}/a/web:v9`);
    t.is(absent.code, 1);
    t.regex(absent.err, /IMAGE_UNKNOWN.*v9/);
  },
);

needs(['docker-registry', 'skopeo'])(
  'what skopeo pushed is pulled, Docker media types included',
  async (t) => {
    const tool = aTool(t);
    const host = await startDockerRegistry(t);
    const layout = `oci:${tool.dir}/layout`;
    t.is((await build(tool, '-t', 'x:v1', '-o', layout)).code, 0);
    execFileSync(
      'skopeo',
      ['copy', '--dest-tls-verify=false', '-f', 'v2s2', `${layout}:v1`, `docker://${host}/web:v1`],
      { stdio: 'pipe' },
    );
    const pulled = await tool('pull', `${host}/web:v1`, '--json');
    t.is(pulled.code, 0, pulled.err);
    const seen = jsonOf(await tool('inspect', `${host}/web:v1`));
    t.is(seen['MediaType'], 'application/vnd.docker.distribution.manifest.v2+json');
    t.is(seen['Digest'], jsonOf(pulled)['digest']);
  },
);

test('names are listed, added and taken away', async (t) => {
  const tool = aTool(t);
  await build(tool, '-t', 'web:v1');
  await tool('tag', 'web:v1', 'localhost/web:stable');
  const listed = await tool('ls');
  t.regex(listed.out, /^REFERENCE +DIGEST +PLATFORM +SIZE +CREATED\n/);
  const rows = JSON.parse((await tool('ls', '--json')).out) as Array<{ reference: string }>;
  t.deepEqual(
    rows.map(({ reference }) => reference),
    ['docker.io/library/web:v1', 'localhost/web:stable'],
  );
  t.regex((await tool('rm', 'web:v1')).out, /removed, 0 B freed/);
  t.regex((await tool('rm', 'localhost/web:stable')).out, /removed, [1-9]/);
  t.is((await tool('ls', '--json')).out.trim(), '[]');
  const gone = await tool('rm', 'web:v1');
  t.is(gone.code, 1);
  t.regex(gone.err, /IMAGE_UNKNOWN/);
});

test('wrong words are USAGE with exit status 2, and say what is right', async (t) => {
  const tool = aTool(t);
  const wrong: ReadonlyArray<readonly [string[], RegExp]> = [
    [['-t', 'Bad Name'], /IMAGE_REFERENCE/],
    [[], /--tag REF/],
    [['-t', 'x', '--compression', 'xz'], /zstd, gzip or none/],
    [['-t', 'x', '--platform', 'arm'], /OS\/ARCH/],
    [['-t', 'x', '--expose', '99999'], /--expose/],
    [['-t', 'x', '--env', 'A'], /NAME=VALUE/],
    [['-t', 'x', '--created', 'yesterday'], /--created/],
    [['-t', 'x', '--entrypoint', '["a", 1]'], /JSON list/],
    [['-t', 'x', '--healthcheck-cmd', 'a', '--healthcheck-timeout', '5'], /30s/],
    [['-t', 'x', '-o', 'docker-archive:///x'], /oci:DIR/],
  ];
  for (const [args, message] of wrong) {
    const ran = await build(tool, ...args);
    t.not(ran.code, 0);
    t.regex(ran.err, message);
  }
  const none = await tool('from-dir', join(tool.dir, 'nothing'), '-t', 'x');
  t.is(none.code, 2);
  t.regex(none.err, /not a folder/);
});

test('places are read in the words of skopeo', (t) => {
  t.deepEqual(parsePlace('oci:/a/b:host:5000/web:v1', 'local', '/'), {
    kind: 'layout',
    dir: '/a/b',
    name: 'host:5000/web:v1',
  });
  t.deepEqual(parsePlace('oci:b', 'local', '/'), { kind: 'layout', dir: 'b' });
  t.like(parsePlace('docker://web', 'local', '/'), { kind: 'registry' });
  t.like(parsePlace('web', 'registry', '/'), { kind: 'registry' });
  t.deepEqual(parsePlace('web', 'local', '/r'), {
    kind: 'layout',
    dir: '/r/var/lib/wherry-image',
    name: 'docker.io/library/web:latest',
  });
  t.throws(() => parsePlace('oci:', 'local', '/'));
});
