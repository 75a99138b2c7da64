// SPDX-License-Identifier: Apache-2.0
// The Debian packages, shown to Debian's own tools: dpkg installs them into a copy of the running system, lintian and
// systemd-analyze read them.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { needs } from '../kit/needs.js';
import { inRoot, makePackages, temporaryFolder } from '../kit/pack-root.js';

const names = ['wherry', 'wherry-fleet'];
const machine = { x64: 'x86_64', arm64: 'aarch64', arm: 'armv7l' }[process.arch as string] ?? '';
const folder = mkdtempSync(join(tmpdir(), 'wherry-deb-'));
let packages: string[] = [];

test.before('the packages of this machine are built', () => {
  packages = makePackages(machine, folder, names);
});

test.after.always(() => rmSync(folder, { recursive: true, force: true }));

test.serial('built twice they are bit for bit the same', (t) => {
  const again = makePackages(machine, temporaryFolder(t), names);
  const sumOf = (path: string): string =>
    createHash('sha256').update(readFileSync(path)).digest('hex');
  t.deepEqual(again.map(sumOf), packages.map(sumOf));
});

needs(['lintian'])('lintian has nothing to say against them', (t) => {
  const ran = spawnSync('lintian', ['--no-cfg', '--allow-root', ...packages], { timeout: 120_000 });
  t.is(ran.stdout.toString(), '');
  t.is(ran.status, 0);
});

needs(['root', 'unshare'])(
  'dpkg installs them, the programs run, and nothing is enabled or started',
  (t) => {
    const said = inRoot(
      t,
      folder,
      `dpkg --force-confnew -i /packages/*.deb >/dev/null
for name in wherryd wherry wherry-provision wherry-fleet wherry-image; do
  command -v $name; $name --version; $name --help | head -1
done
wherry-image --root /tmp/store ls
/usr/lib/wherry/wherry-run --version | head -1
echo user: $(id -un wherry-fleet) $(stat -c %U:%a /etc/wherry-fleet)
echo enabled: $(find /etc/systemd/system -name 'wherry*')
dpkg -V wherry wherry-fleet
man -w wherry wherryd
echo sizes: $(dpkg-query -W -f '\${Installed-Size} ' wherry wherry-fleet)`,
    );
    for (const name of ['wherryd', 'wherry', 'wherry-provision', 'wherry-fleet', 'wherry-image']) {
      t.regex(
        said,
        new RegExp(`^/usr/bin/${name}\n${name} \\d+\\.\\d+\\.\\d+\nUsage: ${name} `, 'm'),
      );
    }
    t.regex(said, /^user: wherry-fleet wherry-fleet:750$/m);
    t.regex(said, /^enabled:$/m);
    t.regex(said, /man8\/wherryd\.8\.gz$/m);
    t.log(/sizes: .*/.exec(said)?.[0]);
  },
);

needs(['root', 'unshare'])(
  'an upgrade keeps what was set, and a purge keeps keys and data',
  (t) => {
    const said = inRoot(
      t,
      folder,
      `dpkg -i /packages/*.deb >/dev/null
echo 'WHERRY_FLEET_OPTIONS="--name here"' >/etc/default/wherry-fleet
mkdir -p /etc/wherry/identity /var/lib/wherry-fleet/keys
dpkg --force-confold -i /packages/*.deb >/dev/null
cat /etc/default/wherry-fleet
dpkg -P wherry wherry-fleet >/dev/null 2>&1
ls -d /usr/lib/wherry /usr/bin/wherry /etc/default/wherry-fleet 2>/dev/null || echo gone
ls -d /etc/wherry/identity /var/lib/wherry-fleet/keys`,
    );
    t.is(
      said,
      'WHERRY_FLEET_OPTIONS="--name here"\ngone\n/etc/wherry/identity\n/var/lib/wherry-fleet/keys\n',
    );
  },
);

needs(['root', 'unshare', 'systemd-analyze'])(
  'systemd takes the units as they are installed',
  (t) => {
    const said = inRoot(
      t,
      folder,
      `dpkg -i /packages/*.deb >/dev/null
systemd-analyze verify wherryd.service wherry-fleet.service 2>&1 && echo verified
systemd-analyze security --offline=true --no-pager wherry-fleet.service | tail -1`,
    );
    t.regex(said, /^verified$/m);
    t.notRegex(said, /^wherry[a-z-]*\.service: /m);
    const exposure = Number(/exposure level for wherry-fleet.service: ([\d.]+)/.exec(said)?.[1]);
    t.true(exposure < 3, `exposure ${exposure}`);
  },
);

for (const [foreign, elf] of [
  ['aarch64', 'AArch64'],
  ['armv7l', 'ARM'],
] as const) {
  const isBuilt =
    existsSync(`build/${foreign}/node_sqlite3.node`) && existsSync(`build/${foreign}/wherry-init`);
  const title = `the packages for ${foreign} hold programs of that machine only`;
  const run = isBuilt && foreign !== machine ? test.serial : test.serial.skip;
  run(
    isBuilt ? title : `${title} [needs make all ARCH=${foreign === 'aarch64' ? 'arm64' : 'armhf'}]`,
    (t) => {
      const out = temporaryFolder(t);
      const [path = ''] = makePackages(foreign, out, ['wherry']);
      spawnSync('dpkg-deb', ['-x', path, join(out, 'tree')]);
      const home = join(out, 'tree/usr/lib/wherry');
      for (const file of [
        'wherry-run',
        'wherry-keep',
        'wherry-layer',
        'node_modules/sqlite3/build/Release/node_sqlite3.node',
      ]) {
        const head = spawnSync('readelf', ['-h', join(home, file)]).stdout.toString();
        t.regex(head, new RegExp(`Machine: +${elf}\n`), file);
      }
      t.log(`${path.split('/').at(-1)}: ${readFileSync(path).length} bytes (quick compression)`);
    },
  );
}
