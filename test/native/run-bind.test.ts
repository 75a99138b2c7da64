// SPDX-License-Identifier: Apache-2.0
// Sources of bind mounts below the folders that io.wherry.bind.roots names: what a container left there cannot
// lead a later mount outside.

import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { aBox, type Box, boxTest } from '../kit/run-box.js';

/** A box with `allowed` and `outside` beside its bundle; /data is bound from `source` below its folder. */
function aBound(
  t: ExecutionContext,
  source: string,
  roots: (folder: string) => string = (folder) => join(folder, 'allowed'),
): Box {
  return aBox(t, ['/bin/cat', '/data/text'], (config, bundle) => {
    const folder = join(bundle, '..');
    mkdirSync(join(folder, 'allowed/deep'), { recursive: true });
    mkdirSync(join(folder, 'outside'));
    writeFileSync(join(folder, 'allowed/deep/text'), 'mine');
    writeFileSync(join(folder, 'outside/text'), 'secret of the host');
    const from = join(folder, source);
    config.mounts.push({ destination: '/data', type: 'bind', source: from, options: ['rbind'] });
    config.annotations['io.wherry.bind.roots'] = roots(folder);
  });
}

for (const [what, target] of [
  ['a link to a folder outside', (folder: string) => join(folder, 'outside')],
  ['a link that climbs out', () => '../outside'],
  ['an absolute link, even back into the allowed folder', (f: string) => join(f, 'allowed/deep')],
  ['a magic link of /proc', () => '/proc/self/root/etc'],
] as const) {
  boxTest(
    `${what}, left below an allowed folder, is not bound`,
    (t) => {
      const box = aBound(t, 'allowed/x');
      symlinkSync(target(box.folder), join(box.folder, 'allowed/x'));
      const { code, out, err } = box.run();
      t.not(code, 0);
      t.is(out, '');
      t.regex(err, /BOX_MOUNT/);
      t.regex(err, /leads out of \S*allowed/);
    },
    { own: true },
  );
}

boxTest(
  'a folder in the middle of the path that became a link outside is not followed',
  (t) => {
    const box = aBound(t, 'allowed/deep/sub');
    mkdirSync(join(box.folder, 'outside/sub'));
    writeFileSync(join(box.folder, 'outside/sub/text'), 'secret of the host');
    rmSync(join(box.folder, 'allowed/deep'), { recursive: true });
    symlinkSync('../outside', join(box.folder, 'allowed/deep'));
    const { out, err } = box.run();
    t.is(out, '');
    t.regex(err, /leads out of/);
  },
  { own: true },
);

boxTest(
  'of roots inside each other the outer one counts: the inner one may have become a link',
  (t) => {
    const both = (folder: string) => `${folder}/allowed/deep:${folder}/allowed/`;
    const box = aBound(t, 'allowed/deep/sub', both);
    mkdirSync(join(box.folder, 'outside/sub'));
    rmSync(join(box.folder, 'allowed/deep'), { recursive: true });
    symlinkSync(join(box.folder, 'outside'), join(box.folder, 'allowed/deep'));
    t.regex(box.run().err, /leads out of/);
  },
  { own: true },
);

boxTest(
  'links that stay beneath, the allowed folder itself and one that is reached by the operator’s link are bound',
  (t) => {
    const near = aBound(t, 'allowed/x');
    symlinkSync('deep/../deep', join(near.folder, 'allowed/x'));
    t.is(near.run().out, 'mine');
    const whole = aBound(t, 'allowed/deep', (folder) => join(folder, 'allowed/deep'));
    t.is(whole.run().out, 'mine');
    const moved = aBound(t, 'allowed/deep');
    renameSync(join(moved.folder, 'allowed'), join(moved.folder, 'elsewhere'));
    symlinkSync('elsewhere', join(moved.folder, 'allowed'));
    t.is(moved.run().out, 'mine');
  },
  { own: true },
);

boxTest(
  'a root that is not absolute is refused',
  (t) => {
    const { code, err } = aBound(t, 'allowed', () => 'allowed').run();
    t.not(code, 0);
    t.regex(err, /BOX_SPEC/);
    t.regex(err, /bind\.roots/);
  },
  { own: true },
);
