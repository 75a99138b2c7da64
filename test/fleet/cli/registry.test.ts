// SPDX-License-Identifier: Apache-2.0
// `wherry-fleet registry` for the fleet's own registry: users, garbage, the audit log, as a person uses them.

import { fileURLToPath } from 'node:url';
import test from 'ava';
import { type Finished, run } from '../../../adapters/exec.js';
import { fleetPlaces } from '../../../fleet/config.js';
import { parseReference } from '../../../images/oci/reference.js';
import { openRegistry } from '../../../images/registry/client.js';
import { codeOf } from '../../../protocol/error.js';
import { aFleet } from '../../kit/fleet-server.js';
import { aBlob } from '../../kit/images-server.js';

const program = fileURLToPath(new URL('../../../fleet/main.js', import.meta.url));
const password = 'long-enough-word';

test('a user is added, pushes, is shown in the audit log, and is gone after rm; gc takes what it left', async (t) => {
  const fleet = await aFleet(t);
  const cli = (args: readonly string[], input = ''): Promise<Finished> =>
    run(process.execPath, [program, 'registry', ...args, '--root', fleet.root], {
      input,
      timeoutMs: 20_000,
    });
  const say = async (args: readonly string[], input = ''): Promise<string> => {
    const { code, stdout, stderr } = await cli(args, input);
    t.is(code, 0, `${args.join(' ')}: ${stderr}`);
    return stdout;
  };
  await say(['user', 'add', 'ci', '--grant', 'team/*=push', '--password-stdin'], `${password}\n`);
  t.regex(await say(['user', 'ls']), /^ci +password +team\/\*=push$/m);

  const host = `127.0.0.1:${fleet.served().httpsPort}`;
  const { tls } = fleet.client.operator;
  const registry = openRegistry({
    identity: async () => ({ ca: tls.ca }),
    credentials: () => ({ username: 'ci', password }),
    retry: { attemptCountMax: 1 },
  });
  t.teardown(() => registry.close());
  const blob = aBlob(2000);
  const read = async function* (from: number, to: number) {
    yield blob.bytes.subarray(from, to);
  };
  const pushed = { ...blob, read };
  t.is(await registry.pushBlob(parseReference(`${host}/team/web`), pushed), 'sent');
  const denied = await t.throwsAsync(registry.pushBlob(parseReference(`${host}/other`), pushed));
  t.is(codeOf(denied), 'REGISTRY_DENIED');

  const lines = JSON.parse(await say(['audit', '--json'])) as Array<Record<string, unknown>>;
  const of = (action: string) => lines.filter((line) => line['action'] === action);
  t.is(of('upload')[0]?.['who'], 'user:ci');
  t.is(of('upload')[0]?.['digest'], blob.digest);
  t.is(of('denied')[0]?.['repository'], 'other');
  t.is(of('user')[0]?.['who'], 'operator:admin');
  t.false(JSON.stringify(lines).includes(password));

  t.regex(await say(['gc']), /^0 blobs removed/, 'it is young');
  t.regex(await say(['gc', '--unused', '0s']), /^1 blobs removed, 2\.00 kB freed/);
  await say(['user', 'rm', 'ci']);
  t.is(codeOf(await t.throwsAsync(registry.login(host))), 'REGISTRY_AUTH');

  for (const [args, words] of [
    [['user', 'rm', 'ci'], /REGISTRY_USER/],
    [['user', 'add', 'x'], /REGISTRY_USER.*password/],
    [['user', 'add', 'x', '--grant', 'a=root', '--password-stdin'], /USAGE.*role/],
    [['user', 'frob', 'x'], /USAGE/],
    [['gc', '--unused', 'soon'], /USAGE/],
  ] as const) {
    t.regex((await cli(args, password)).stderr, words, args.join(' '));
  }
  await say(['user', 'add', 'admin', '--certificate', '--grant', 'team/*=pull']);
  const operator = openRegistry({ certDirs: [fleetPlaces(fleet.root).operator] });
  t.teardown(() => operator.close());
  const tags = operator.tags(parseReference(`${host}/other`));
  t.is(codeOf(await t.throwsAsync(tags)), 'REGISTRY_DENIED');
});
