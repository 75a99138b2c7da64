// SPDX-License-Identifier: Apache-2.0
// wherry-fleet as a person uses it: the server as a process of its own, every command as another.

import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { type Finished, run, start } from '../../../adapters/exec.js';
import { fleetPlaces } from '../../../fleet/config.js';
import { parseReference } from '../../../images/oci/reference.js';
import { openRegistry } from '../../../images/registry/client.js';
import type { Digest } from '../../../protocol/name.js';
import { joinDevice } from '../../kit/fleet-device.js';
import { tempFolder } from '../../kit/fleet-server.js';

const program = fileURLToPath(new URL('../../../fleet/main.js', import.meta.url));

interface Cli {
  readonly root: string;
  readonly registry: string;
  /** Runs a command and gives what it did. */
  do(...args: string[]): Promise<Finished>;
  /** As `do`, must end with 0; standard output. */
  say(...args: string[]): Promise<string>;
  stop(): Promise<{ code: number; ms: number }>;
}

async function aServer(t: ExecutionContext): Promise<Cli> {
  const root = await tempFolder(t);
  const args = ['serve', '--root', root, '--listen', '127.0.0.1', '--https-port', '0'];
  const server = start(process.execPath, [program, ...args, '--mqtt-port=0', '--log-level=error']);
  t.teardown(() => server.kill('SIGKILL'));
  const ready = await firstLine(server.stdout);
  const [, host] =
    /^wherry-fleet ready https=(127\.0\.0\.1:\d+) mqtt=127\.0\.0\.1:\d+$/.exec(ready) ?? [];
  const exec = (...words: string[]): Promise<Finished> =>
    run(process.execPath, [program, ...words, '--root', root], { timeoutMs: 20_000 });
  return {
    root,
    registry: host ?? '',
    do: exec,
    say: async (...words) => {
      const { code, stdout, stderr } = await exec(...words);
      t.is(code, 0, `${words.join(' ')}: ${stderr}`);
      return stdout.trimEnd();
    },
    stop: async () => {
      const from = performance.now();
      server.kill('SIGTERM');
      return { code: await server.ended, ms: performance.now() - from };
    },
  };
}

async function firstLine(stream: AsyncIterable<Buffer>): Promise<string> {
  let text = '';
  for await (const chunk of stream) {
    text += chunk.toString();
    if (text.includes('\n')) break;
  }
  return text.split('\n')[0] ?? '';
}

/** An index of no platform: enough to be resolved and pinned. */
async function pushIndex(cli: Cli, name: string, mark: string): Promise<Digest> {
  const index = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [],
    annotations: { mark },
  };
  const bytes = Buffer.from(JSON.stringify(index));
  const digest: Digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  const registry = openRegistry({ certDirs: [fleetPlaces(cli.root).operator] });
  const { mediaType } = index;
  await registry.pushManifest(parseReference(`${cli.registry}/${name}`), {
    digest,
    mediaType,
    bytes,
  });
  registry.close();
  return digest;
}

test('from a claim to a rollout that succeeds, and one that does not, with its reason', async (t) => {
  const cli = await aServer(t);
  const code = await cli.say('claim', 'create', '--uses', '2', '--label', 'site=lab');
  t.regex(code, /^wherry1\.127\.0\.0\.1:\d+\./);
  const [a, b] = await Promise.all([joinDevice(t, code, 'a'), joinDevice(t, code, 'b')]);
  t.regex(await cli.say('claim', 'ls'), /used +2\/2 .* site=lab +(a,b|b,a)$/);

  const codes = JSON.parse(await cli.say('claim', 'create', '--count', '3', '--json')) as unknown[];
  t.is(codes.length, 3);

  const file = join(cli.root, 'compose.yaml');
  const write = (more: string): Promise<void> =>
    writeFile(file, `name: shop\nservices:\n  web:\n    image: ${cli.registry}/web:v1\n${more}`);
  const digest = await pushIndex(cli, 'web:v1', 'one');
  await write('    environment: {API_TOKEN: x}\n');
  const made = await cli.do('release', 'create', '-f', file, '--version', 'v1');
  t.regex(made.stdout, /^shop:v1 sha256:[0-9a-f]{64}\n$/, made.stderr);
  t.regex(made.stderr, /note: .*compose\.yaml:3: .*API_TOKEN looks like a secret/);
  const inspected = JSON.parse(await cli.say('release', 'inspect', 'shop:v1')) as {
    document: { counter: number; workloads: Array<{ image: unknown }> };
  };
  t.is(inspected.document.counter, 1);
  t.deepEqual(inspected.document.workloads[0]?.image, {
    reference: `${cli.registry}/web:v1`,
    digest,
  });

  const wave = ['--canary', '1', '--bake', '100ms'];
  const good = await cli.do('rollout', 'start', 'shop:v1', ...wave, '--wait');
  t.is(good.code, 0, good.stderr);
  t.regex(good.stdout, /^rollout r-[0-9a-f]{10} succeeded\n$/);
  t.regex(good.stderr, /shop:v1 100 % 2\/2 good/);

  a.conduct = 'sick';
  b.conduct = 'sick';
  await write('    command: [/nothing]\n');
  await cli.say('release', 'create', '-f', file, '--version', 'v2');
  const bad = await cli.do('rollout', 'start', 'shop:v2', ...wave, '--wait');
  t.is(bad.code, 1);
  t.regex(
    bad.stdout,
    /failed: ROLLOUT_GATE: device [ab] failed in wave 0: BOX_EXEC: web: no such program/,
  );
  t.is(a.assignments.length + b.assignments.length, 3, 'the second wave never began');

  const [releases, devices, rollouts, events, json] = await Promise.all([
    cli.say('release', 'ls'),
    cli.say('device', 'ls'),
    cli.say('rollout', 'ls'),
    cli.say('events'),
    cli.say('rollout', 'ls', '--json'),
  ]);
  t.regex(releases ?? '', /shop:v2 +2 .*\nshop:v1 +1 /);
  t.regex(devices ?? '', /^DEVICE.*\na +online .*shop:v.*site=lab/);
  t.regex(rollouts ?? '', /shop:v2 +failed .*ROLLOUT_GATE\n.*shop:v1 +succeeded/);
  t.regex(events ?? '', /rolloutFailed .*ROLLOUT_GATE/);
  const rows = JSON.parse(json ?? '') as Array<{ id: string }>;
  t.regex(
    await cli.say('rollout', 'status', rows[0]?.id ?? ''),
    /WAVE +STATE[\s\S]*0 +failed[\s\S]*1 +pending[\s\S]*BOX_EXEC/,
  );
  t.is(await cli.say('device', 'label', 'a', 'ring=1', 'site-'), 'ring=1');
  t.is(await cli.say('device', 'revoke', 'b'), 'b');

  const { code: status, ms } = await cli.stop();
  t.is(status, 0);
  t.true(ms < 5000, `it took ${ms} ms to end`);
});

test('what goes wrong is said with a code, a place and a remedy', async (t) => {
  const cli = await aServer(t);
  const file = join(cli.root, 'compose.yaml');
  const create = async (text: string): Promise<string> => {
    await writeFile(file, text);
    const { code, stderr } = await cli.do('release', 'create', '-f', file, '--app', 'shop');
    t.is(code, 1);
    return stderr.replaceAll(cli.root, 'ROOT');
  };
  t.regex(
    await create('services:\n  web:\n    image: web\n    prots: []\n'),
    /^wherry-fleet: COMPOSE_KEY: ROOT\/compose\.yaml:4: services\.web\.prots: unknown key; allowed here are image/,
  );
  t.regex(
    await create(`services: {web: {image: "${cli.registry}/gone:v1"}}`),
    /^wherry-fleet: IMAGE_UNKNOWN: /,
  );
  const absent = await cli.do('rollout', 'start', 'shop:v1');
  t.regex(absent.stderr, /^wherry-fleet: RELEASE_UNKNOWN: there is no release shop:v1\n {2}\S/);
  t.is((await cli.do('rollout', 'strat')).code, 2);
  t.is((await cli.do('claim', 'create', '--expires', 'soon')).code, 2);
  await cli.stop();
  t.regex((await cli.do('device', 'ls')).stderr, /^wherry-fleet: API_AWAY: .*127\.0\.0\.1/);
});

test('without an operator’s identity a command says so', async (t) => {
  const root = await tempFolder(t);
  const { code, stderr } = await run(process.execPath, [program, 'device', 'ls', '--root', root]);
  t.is(code, 1);
  t.regex(stderr, /^wherry-fleet: OPERATOR_ABSENT: /);
});
