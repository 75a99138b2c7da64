// SPDX-License-Identifier: Apache-2.0
// A throw-away copy of the running Debian: an overlay above /, in a mount namespace of its own, in which packages are
// really installed by dpkg. What is done there is gone with the namespace.

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';

const compiled = join(dirname(fileURLToPath(import.meta.url)), '../..');
export const epoch = '1770000000';

/** Builds packages of a machine into a folder of their own; gives their paths. */
export function makePackages(machine: string, folder: string, names: readonly string[]): string[] {
  const script = join(compiled, 'provisioning/host/deb.js');
  const env = { ...process.env, SOURCE_DATE_EPOCH: epoch, DEB_LEVEL: '1' };
  const said = execFileSync(process.execPath, [script, `build/${machine}`, folder, ...names], {
    env,
  });
  return said
    .toString()
    .trim()
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '');
}

export function temporaryFolder(t: { teardown(fn: () => void): void }): string {
  const folder = mkdtempSync(join(tmpdir(), 'wherry-pack-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const setUp = `set -eu
mount -t tmpfs -o size=600m none "$1/over"
mkdir "$1/over/upper" "$1/over/work" "$1/over/root"
mount -t overlay -o lowerdir=/,upperdir="$1/over/upper",workdir="$1/over/work" none "$1/over/root"
mount -t proc none "$1/over/root/proc"
mount -t tmpfs none "$1/over/root/run"
mount --rbind /dev "$1/over/root/dev"
shift_to="$1/over/root/packages"
mkdir "$shift_to"
for deb in "$1"/*.deb; do cp "$deb" "$shift_to/"; done
cat >"$1/over/root/script" <<'END'
set -eu
export PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive
`;

/** What a shell script says there; packages lie in /packages. Fails the test where the script fails. */
export function inRoot(t: ExecutionContext, folder: string, script: string): string {
  mkdirSync(join(folder, 'over'), { recursive: true });
  const whole = `${setUp}${script}\nEND\nexec chroot "$1/over/root" sh /script`;
  const args = ['-m', '--pid', '--fork', 'sh', '-c', whole, 'sh', folder];
  const ran = spawnSync('unshare', args, {
    timeout: 120_000,
    env: { LC_ALL: 'C.UTF-8', PATH: process.env['PATH'] },
  });
  t.is(ran.status, 0, `${ran.stdout}${ran.stderr}`);
  return ran.stdout.toString();
}
