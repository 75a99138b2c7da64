// SPDX-License-Identifier: Apache-2.0
// `wherry-fleet sign`: envelopes that a device takes, with the server off, and generations that only grow.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { type Finished, run } from '../../../adapters/exec.js';
import { fleetPlaces } from '../../../fleet/config.js';
import { openKeys } from '../../../fleet/keys.js';
import { verifyEnvelope } from '../../../images/sign/envelope.js';
import { type Assignment, assignment } from '../../../protocol/assignment.js';
import { payloadTypes } from '../../../protocol/envelope.js';
import { enrolDevice } from '../../../provisioning/device/enrol.js';
import { aClaim, aFleet, aRelease, signedRelease, tempFolder } from '../../kit/fleet-server.js';

const program = fileURLToPath(new URL('../../../fleet/main.js', import.meta.url));

interface Scene {
  readonly root: string;
  sign(...args: string[]): Promise<Finished>;
  /** The assignment that it printed, once the online key's signature holds. */
  assigned(...args: string[]): Promise<Assignment>;
}

/** A fleet with the device pump-1 and the release shop:v1, whose server has ended. */
async function aScene(t: ExecutionContext): Promise<Scene> {
  const fleet = await aFleet(t);
  const { root } = fleet;
  await enrolDevice({ configDir: await tempFolder(t), code: await aClaim(fleet), name: 'pump-1' });
  await aRelease(fleet, 'v1', 1);
  await fleet.served().close();
  const { keys, operator } = fleetPlaces(root);
  const { trust } = await openKeys(keys, operator, 'main');
  const sign: Scene['sign'] = (...args) =>
    run(process.execPath, [program, 'sign', ...args, '--root', root], { timeoutMs: 20_000 });
  return {
    root,
    sign,
    assigned: async (...args) => {
      const { code, stdout, stderr } = await sign('assignment', '--device', 'pump-1', ...args);
      t.is(code, 0, stderr);
      t.regex(stderr, /topic: w1\/main\/d\/main--pump-1\/desired/);
      const envelope: unknown = JSON.parse(stdout);
      const bytes = verifyEnvelope(envelope, payloadTypes.assignment, trust.assignment);
      return assignment(JSON.parse(bytes.toString()), 'assignment');
    },
  };
}

test('an assignment is signed with the online key, and each one has the next generation', async (t) => {
  const { assigned } = await aScene(t);
  const first = await assigned('--release', 'shop:v1');
  t.is(first.generation, 1);
  t.is(first.release?.counter, 1);
  const second = await assigned('--release', 'none');
  t.is(second.generation, 2);
  t.is(second.release, null);
});

test('a generation of one’s own must be above the last one', async (t) => {
  const { assigned, sign } = await aScene(t);
  await assigned('--release', 'shop:v1');
  t.is((await assigned('--release', 'shop:v1', '--generation', '7')).generation, 7);
  const stale = await sign(
    ...['assignment', '--device', 'pump-1', '--release', 'shop:v1', '--generation', '1'],
  );
  t.is(stale.code, 2);
  t.is(stale.stdout, '');
});

test('a release from a file is signed, and may be assigned from its envelope', async (t) => {
  const { root, sign, assigned } = await aScene(t);
  const { envelope } = await signedRelease(root, 'v2', 2);
  const file = join(root, 'v2.json');
  await writeFile(file, Buffer.from(envelope.payload, 'base64'));
  const { code, stdout, stderr } = await sign('release', file);
  t.is(code, 0, stderr);
  await writeFile(join(root, 'v2.signed'), stdout);
  const { release } = await assigned('--release', `@${join(root, 'v2.signed')}`);
  t.is(release?.counter, 2);
  t.true(stderr.includes(`w1/main/rel/${release?.digest.slice('sha256:'.length)}`));
});

test('what is unknown, unsigned or not a release is refused by its code', async (t) => {
  const { root, sign } = await aScene(t);
  const file = join(root, 'bad.json');
  await writeFile(file, '{"kind":"release/v1"}');
  for (const [args, code] of [
    [['release', file], /SHAPE_BAD/],
    [['assignment', '--device', 'nobody', '--release', 'shop:v1'], /DEVICE_UNKNOWN/],
    [['assignment', '--device', 'pump-1', '--release', 'shop:v9'], /RELEASE_UNKNOWN/],
    [['assignment', '--device', 'pump-1', '--release', `@${file}`], /SHAPE_BAD|SIGN_/],
    [['assignment', '--device', '../x', '--release', 'none'], /USAGE/],
  ] as const) {
    const { stderr, stdout } = await sign(...args);
    t.regex(stderr, code);
    t.is(stdout, '');
  }
});
