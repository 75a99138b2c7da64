// SPDX-License-Identifier: Apache-2.0
// What docs/operate tells a person to do when things are lost is done here, on a whole device and fleet; and each
// command that its pages show is one that the programs know.

import { spawnSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { strictPolicy } from '../../agent/plan/observed.js';
import type { LocalContainer } from '../../protocol/local.js';
import { needs } from '../kit/needs.js';
import { until } from '../kit/world/program.js';
import { openStage, type Stage } from '../kit/world/site.js';
import { type Device, registryHost } from '../kit/world/world.js';

const dist = join(dirname(fileURLToPath(import.meta.url)), '../..');
const entries: Readonly<Record<string, string>> = {
  wherry: 'agent/local/main.js',
  wherryd: 'agent/main.js',
  'wherry-image': 'images/cli/main.js',
  'wherry-fleet': 'fleet/main.js',
  'wherry-provision': 'provisioning/main.js',
};
const whole = needs(['root', 'nft', 'ip']);

async function withWeb(
  t: Parameters<typeof openStage>[0],
  label: string,
): Promise<[Stage, Device]> {
  const stage = await openStage(t, label, ['a']);
  await stage.release({ version: 'v1' });
  const { code, text } = await stage.rollout('v1');
  t.is(code, 0, text);
  return [stage, stage.devices[0] as Device];
}

async function online(stage: Stage): Promise<void> {
  await until('the device is online', 60_000, async () =>
    (await stage.world.fleet.cli(['device', 'ls'], { mayFail: true })).stdout.includes('online')
      ? true
      : undefined,
  );
}

async function pidOf(device: Device): Promise<number> {
  const [container] = await device.json<LocalContainer[]>(['ps']);
  return container?.pid ?? 0;
}

whole(
  'while the agent is dead the workload runs, and ps, logs and exec still answer',
  async (t) => {
    const [stage, device] = await withWeb(t, 'dead');
    const before = await pidOf(device);
    await device.kill();
    t.is(await stage.answer(device), 'hello from v1');
    t.is(await pidOf(device), before);
    t.regex((await device.cli(['logs', 'web'])).stdout, /web v1 listens/);
    t.regex((await device.cli(['exec', 'web', 'ls', '-la', '/srv'])).stdout, /index\.html/);
    t.regex((await device.cli(['ps', '-q'])).stdout, /^web[^\n]*\n$/);
    const why = await device.cli(['why'], { mayFail: true });
    t.is(why.code, 1);
    t.regex(why.stderr, /AGENT_AWAY/);
    await device.start();
    t.is(await pidOf(device), before);
  },
);

whole(
  'a damaged database is set aside, and the device learns again what it shall run',
  async (t) => {
    const [stage, device] = await withWeb(t, 'db');
    await device.stop();
    await until('the agent has ended', 10_000, async () => {
      const files = readdirSync(join(device.root, 'var/lib/wherry'));
      return files.includes('wherry.db-wal') ? undefined : true;
    });
    writeFileSync(join(device.root, 'var/lib/wherry/wherry.db'), 'this is no database'.repeat(500));
    await device.start();
    await stage.answers(device, 'hello from v1', 60_000);
    await online(stage);
    t.true(readdirSync(join(device.root, 'var/lib/wherry')).includes('wherry.db.corrupt'));
    await until('the release is the good one again', 60_000, async () =>
      (await stage.status(device)).good === null ? undefined : true,
    );
  },
);

whole(
  'a device whose certificate is lost enrols again, with a suffix to its old name',
  async (t) => {
    const [stage, device] = await withWeb(t, 'cert');
    const before = await pidOf(device);
    await device.stop();
    rmSync(join(device.root, 'etc/wherry/identity'), { recursive: true });
    await device.start();
    t.is(await stage.answer(device), 'hello from v1');
    const [claim] = await stage.world.fleet.json<Array<{ code: string }>>(['claim', 'create']);
    await device.enrol(claim?.code ?? '');
    await online(stage);
    const { stdout } = await stage.world.fleet.cli(['device', 'ls']);
    t.regex(stdout, /^a +offline /m);
    t.regex(stdout, /^a-[0-9a-f]{16} +online /m);
    await stage.answers(device, 'hello from v1');
    t.is(await pidOf(device), before);
  },
);

whole('a fleet server that burnt down comes back from a copy, and devices find it', async (t) => {
  const [stage, device] = await withWeb(t, 'burnt');
  const { fleet } = stage.world;
  await fleet.stop();
  await until('the server has ended', 15_000, async () =>
    (await fleet.cli(['device', 'ls'], { mayFail: true })).code === 0 ? undefined : true,
  );
  const copy = join(stage.world.root, 'copy');
  for (const folder of ['var/lib/wherry-fleet', 'etc/wherry-fleet']) {
    cpSync(join(fleet.root, folder), join(copy, folder), { recursive: true });
    renameSync(join(fleet.root, folder), join(fleet.root, `${folder}.burnt`));
  }
  t.is(await stage.answer(device), 'hello from v1');
  for (const folder of ['var/lib/wherry-fleet', 'etc/wherry-fleet']) {
    cpSync(join(copy, folder), join(fleet.root, folder), { recursive: true });
  }
  await fleet.start();
  await online(stage);
  await stage.release({ version: 'v2' });
  const { code, text } = await stage.rollout('v2');
  t.is(code, 0, text);
  await stage.answers(device, 'hello from v2');

  const back = await stage.rollout('v1');
  t.is(back.code, 1, 'an older release than the good one is not taken');
  t.regex(back.text, /DESIRED_OLD_RELEASE/);
  await stage.answers(device, 'hello from v2');
});

/** As it was for Docker: what Compose users write, with a build that must become an image. */
const dockers = (image: string): string => `version: "3.8"
services:
  web:
    ${image}
    restart: unless-stopped
    ports: ["8080:8080"]
    environment:
      MODE: \${MODE:-normal}
    volumes: ["data:/data"]
    healthcheck:
      test: ["CMD", "wget", "-q", "-O", "-", "http://127.0.0.1:8080/cgi-bin/health"]
      interval: 1s
      timeout: 2s
      retries: 3
    deploy:
      resources:
        limits: {memory: 32M, cpus: "0.5"}
    logging: {driver: json-file, options: {max-size: 1m, max-file: "2"}}
    depends_on: [cache]
  cache:
    image: ${registryHost}/web:v1
    command: ["/bin/sleep", "1000000"]
    entrypoint: []
    restart: always
volumes:
  data: {}
`;

whole(
  'a Compose file of Docker is refused for its build only, and runs with an image instead',
  async (t) => {
    const [stage, device] = await withWeb(t, 'come');
    const { fleet, root } = stage.world;
    const file = join(root, 'compose-docker.yaml');
    const create = ['release', 'create', '-f', file, '--app', 'shop'];
    writeFileSync(file, dockers('build: .'));
    const refused = await fleet.cli(create, { mayFail: true });
    t.is(refused.code, 1);
    t.regex(refused.stderr, /COMPOSE_REFUSED: .*:4: .*build.*build it, push it/);
    writeFileSync(file, dockers(`image: ${registryHost}/web:v1`));
    const made = await fleet.cli([...create, '--version', '1', '--var', 'MODE=night']);
    t.log(made.stderr.trim());
    const args = ['--canary', '1', '--wave', '100%', '--bake', '0s', '--deadline', '60s', '--wait'];
    const run = await fleet.cli(['rollout', 'start', 'shop:1', ...args], {
      mayFail: true,
      timeoutMs: 120_000,
    });
    t.is(run.code, 0, run.stdout + run.stderr + device.output().slice(-3000));
    const all = await device.json<LocalContainer[]>(['ps']);
    t.deepEqual(all.map(({ workload }) => workload).sort(), ['cache', 'web']);
    t.regex((await device.cli(['exec', 'web', 'env'])).stdout, /^MODE=night$/m);
    await device.cli(['exec', 'web', 'sh', '-c', 'echo kept > /data/file']);
    const kept = join(device.root, 'var/lib/wherry/volumes/data/_data/file');
    t.is(readFileSync(kept, 'utf8'), 'kept\n');
  },
);

/** Command lines of our programs in the pages' blocks, continued lines joined. */
function shownCommands(page: string): string[] {
  const blocks = [...page.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block = '']) => block);
  return blocks
    .flatMap((block) =>
      block
        .replaceAll('\\\n', ' ')
        .replace(/'[^']*'|"[^"]*"/g, 'quoted')
        .split('\n'),
    )
    .flatMap((line) => line.split(/&&|\||;|\$\(/))
    .map((line) =>
      line
        .replace(/#.*/, '')
        .trim()
        .replace(/^sudo /, ''),
    )
    .filter((line) => /^wherry[a-z-]* ?/.test(line));
}

const helps = new Map<string, string>();

function helpOf(program: string, words: readonly string[]): string {
  const key = [program, ...words].join(' ');
  const before = helps.get(key);
  if (before !== undefined) return before;
  const args = [join(dist, entries[program] ?? ''), ...words, '--help'];
  const ran = spawnSync(process.execPath, args);
  const text = ran.status === 0 ? ran.stdout.toString() : '';
  helps.set(key, text);
  return text;
}

for (const page of readdirSync('docs/operate').filter((name) => name.endsWith('.md'))) {
  test(`every command on the page ${page} is known, with its options`, (t) => {
    t.pass(); // a page may show none
    for (const line of shownCommands(readFileSync(join('docs/operate', page), 'utf8'))) {
      const [program = '', ...rest] = line.split(/\s+/);
      const end = rest.findIndex((word) => !/^[a-z-]+$/.test(word) || word.startsWith('-'));
      const words = rest.slice(0, end < 0 ? rest.length : end).slice(0, 2);
      const isTwo = helpOf(program, words).startsWith(`Usage: ${program} ${words.join(' ')} `);
      const help = helpOf(program, isTwo ? words : words.slice(0, 1));
      t.regex(help, new RegExp(`^Usage: ${program}`), line);
      for (const option of ownOptions(program, rest))
        t.true(help.includes(option), `${line}: ${option}`);
    }
  });
}

test('every setting of the policy and every option of serve is on the page configure.md', (t) => {
  const page = readFileSync('docs/operate/configure.md', 'utf8');
  for (const name of Object.keys(strictPolicy)) t.true(page.includes(`\`${name}\``), name);
  const common = ['--root', '--json', '--quiet', '--help'];
  const options = helpOf('wherry-fleet', ['serve']).match(/--[a-z-]+(?= |$)/gm) ?? [];
  t.true(options.length > common.length);
  for (const option of options) t.true(common.includes(option) || page.includes(option), option);
});

/** What follows the workload of exec is not ours. */
function ownOptions(program: string, words: readonly string[]): string[] {
  const isExec = program === 'wherry' && words[0] === 'exec';
  const firstArg = words.findIndex((word, at) => at > 0 && !word.startsWith('-'));
  const own = isExec && firstArg > 0 ? words.slice(0, firstArg) : words;
  return own.filter((word) => /^--[a-z]/.test(word)).map((word) => word.replace(/=.*/, ''));
}
