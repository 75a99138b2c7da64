// SPDX-License-Identifier: Apache-2.0
// A Compose file with variables of the release and of the devices, a config and rights: what two devices make of
// it, what a changed variable does, and what a device refuses that its policy does not allow.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { needs } from '../kit/needs.js';
import { until } from '../kit/world/program.js';
import { openStage } from '../kit/world/site.js';
import { type Device, registryHost } from '../kit/world/world.js';

const lab = needs(['root', 'nft', 'ip']);

const file = (more = ''): string => `name: web
services:
  web:
    image: ${registryHost}/web:\u0024{TAG:?which}
    hostname: \u0024{WHERRY_DEVICE}
    init: true
    env_file: web.env
    environment:
      SITE: \u0024{WHERRY_VAR_SITE:-nowhere}
      WHO: "\u0024{WHERRY_TENANT}/\u0024{WHERRY_DEVICE}"
    ports: ["\u0024{PORT}:8080"]
    configs: [{source: page, target: /srv/page.html}]
    ulimits: {nofile: 256}
${more}configs:
  page: {file: page.html}
x-wherry: {gate: {bake: 500ms, deadline: 20s}}
`;

lab('one release, two devices: each completes it with its own variables', async (t) => {
  const stage = await openStage(t, 'vars', ['a', 'b']);
  const { fleet, root } = stage.world;
  await stage.release({ version: 'v1' }); // for its image
  const folder = join(root, 'app');
  mkdirSync(folder);
  writeFileSync(join(folder, 'page.html'), 'a page of the release\n');
  writeFileSync(join(folder, 'web.env'), 'FROM_FILE="two words"\n');
  writeFileSync(join(folder, '.env'), 'TAG=v1\nPORT=8080\n');
  writeFileSync(join(folder, 'compose.yaml'), file());
  const create = (version: string) =>
    fleet.cli(['release', 'create', '-f', join(folder, 'compose.yaml'), '--version', version]);
  await create('c1');
  await fleet.cli(['device', 'set', 'a', 'SITE=graz']);
  const result = await stage.rollout('c1');
  t.is(result.code, 0, result.text);

  const inside = async (device: Device, script: string): Promise<string> =>
    (await device.cli(['exec', 'web', 'sh', '-c', script])).stdout.trim();
  const [a, b] = stage.devices as [Device, Device];
  const words = 'echo "$SITE $WHO $FROM_FILE"; hostname; cat /srv/page.html; ulimit -n';
  t.is(await inside(a, words), 'graz main/a two words\na\na page of the release\n256');
  t.is(await inside(b, words), 'nowhere main/b two words\nb\na page of the release\n256');
  t.is((await inside(a, 'cat /proc/1/cmdline')).startsWith('/dev/wherry-init'), true);

  await fleet.cli(['device', 'label', 'b', 'ring=late']);
  await fleet.cli(['device', 'set', '--selector', 'ring=late', 'SITE=linz']);
  await until('b knows its site', 20_000, async () =>
    (await b.cli(['exec', 'web', 'sh', '-c', 'echo "$SITE"'], { mayFail: true })).stdout.trim() ===
    'linz'
      ? true
      : undefined,
  );
  t.is(await inside(a, 'echo "$SITE"'), 'graz', 'the other one is not touched');
  const shown = await fleet.json<Array<{ name: string; value: string }>>([
    'device',
    'variables',
    'b',
  ]);
  t.like(shown, [{ name: 'SITE', value: 'linz' }]);

  writeFileSync(join(folder, 'compose.yaml'), file('    cap_add: [NET_ADMIN]\n'));
  await create('c2');
  const refused = await stage.rollout('c2');
  t.not(refused.code, 0);
  t.regex(refused.text, /POLICY_CAPABILITY: workload web asks for cap_add CAP_NET_ADMIN/);
  t.is(await inside(a, 'echo "$SITE"'), 'graz', 'what ran goes on');
});
