#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// `make deb`: Debian packages from a machine's build: wherry (device), wherry-fleet (control host) and wherry-node.
// Built by dpkg-deb, and bit for bit the same from the same sources: every time in them is SOURCE_DATE_EPOCH.
//
//   deb.js build/<machine> OUT [wherry|wherry-fleet|wherry-node ...]

import { chmod, cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';
import { bytesText, errorText, print } from '../../adapters/terminal.js';
import { CodedError } from '../../protocol/error.js';
import { libraryDepends } from './needs.js';
import { nodeFor } from './node.js';
import { completionFor, completionPlaces, manOf } from './pages.js';
import { control, device, type Machine, machineOf, type Shipped } from './programs.js';
import { deviceNatives, makeTree, must, projectVersion } from './tree.js';

/** As Debian's tools are told who packages. */
const { DEBFULLNAME: fullName = 'The Wherry authors', DEBEMAIL: email = 'wherry@localhost' } =
  process.env;
const maintainer = `${fullName} <${email}>`;
const sources = 'packaging';
const nodePackage = 'wherry-node';

interface Build {
  readonly machineFolder: string;
  readonly machine: Machine;
  readonly version: string;
  /** Seconds since 1970. */
  readonly epoch: number;
}

interface Package {
  readonly name: string;
  readonly programs: readonly Shipped[];
  readonly natives: readonly string[];
  /** From packaging/ to the root of the package. */
  readonly files: Readonly<Record<string, string>>;
  /** What dpkg asks about before it replaces it. */
  readonly conffiles: readonly string[];
}

const packages: Readonly<Record<string, Package>> = {
  wherry: {
    name: 'wherry',
    programs: device,
    natives: deviceNatives,
    files: { 'systemd/wherryd.service': 'lib/systemd/system/wherryd.service' },
    conffiles: [],
  },
  'wherry-fleet': {
    name: 'wherry-fleet',
    programs: control,
    natives: ['wherry-layer'],
    files: {
      'systemd/wherry-fleet.service': 'lib/systemd/system/wherry-fleet.service',
      'systemd/wherry-fleet.sysusers': 'usr/lib/sysusers.d/wherry-fleet.conf',
      'systemd/wherry-fleet.tmpfiles': 'usr/lib/tmpfiles.d/wherry-fleet.conf',
      'deb/wherry-fleet/default': 'etc/default/wherry-fleet',
    },
    conffiles: ['/etc/default/wherry-fleet'],
  },
};

/** Path of the package. */
async function makePackage(build: Build, one: Package, out: string): Promise<string> {
  const root = join(out, 'tree', one.name);
  await rm(root, { recursive: true, force: true });
  const home = join(root, 'usr/lib', one.name);
  await makeTree({ ...one, folder: home, machineFolder: build.machineFolder });
  for (const program of one.programs) {
    await launcher(root, one.name, program);
    await shellAndManual(root, program, build.epoch);
  }
  for (const [from, to] of Object.entries(one.files))
    await place(join(sources, from), join(root, to));
  const addon = join(home, 'node_modules/sqlite3/build/Release/node_sqlite3.node');
  await document(root, one.name, build);
  await overrides(
    root,
    one.name,
    one.natives.map((native) => `usr/lib/${one.name}/${native}`),
  );
  return finish(build, one.name, root, out, await libraryDepends([addon]), one.conffiles);
}

/** Node alone, on no PATH. */
async function makeNodePackage(build: Build, out: string): Promise<string> {
  const name = nodePackage;
  const root = join(out, 'tree', name);
  await rm(root, { recursive: true, force: true });
  const node = await nodeFor(build.machineFolder);
  await place(node, join(root, 'usr/lib/wherry-node/node'), 0o755);
  await document(root, name, build);
  await overrides(root, name, []);
  return finish(build, name, root, out, await libraryDepends([node]), []);
}

/** Sets what keeps Node small, and takes the packaged Node before the system's. */
async function launcher(root: string, home: string, { name, flags }: Shipped): Promise<void> {
  const text = `#!/bin/sh
export MALLOC_ARENA_MAX=1 UV_THREADPOOL_SIZE=2 WHERRY_NATIVE=/usr/lib/${home}
node=/usr/lib/wherry-node/node
[ -x "$node" ] || node=node
exec "$node" ${flags === undefined ? '' : `${flags} `}/usr/lib/${home}/${name}.mjs "$@"
`;
  await write(join(root, 'usr/bin', name), text, 0o755);
}

async function shellAndManual(root: string, program: Shipped, epoch: number): Promise<void> {
  const { name, section } = program;
  const page = await manOf(program, { SOURCE_DATE_EPOCH: String(epoch) });
  await write(join(root, `usr/share/man/man${section}/${name}.${section}.gz`), zipped(page));
  for (const [shell, at] of Object.entries(completionPlaces)) {
    await write(join(root, at(name)), await completionFor(program, shell));
  }
}

async function document(root: string, name: string, { version, epoch }: Build): Promise<void> {
  const folder = join(root, 'usr/share/doc', name);
  const day = new Date(epoch * 1000).toUTCString().replace('GMT', '+0000');
  const change = `${name} (${version}) unstable; urgency=medium\n\n  * Version ${version.replace(/-\d+$/, '')}.\n\n -- ${maintainer}  ${day}\n`;
  await write(join(folder, 'changelog.Debian.gz'), zipped(change));
  await place(join(sources, 'deb/copyright'), join(folder, 'copyright'));
  await place('NOTICES.md', join(folder, 'NOTICES.md'));
}

/** What lintian finds and is meant so. */
async function overrides(root: string, name: string, natives: readonly string[]): Promise<void> {
  const why = [
    '# A package of our own, not an upload to Debian.',
    `${name}: initial-upload-closes-no-bugs *`,
    ...(email.endsWith('@localhost')
      ? [`${name}: bogus-mail-host *`, `${name}: bogus-mail-host-in-debian-changelog *`]
      : []),
    ...(natives.length === 0
      ? []
      : ['# Static on purpose: a container has no library of the host.']),
    ...natives.flatMap((path) => [
      `${name}: statically-linked-binary [${path}]`,
      `${name}: shared-library-lacks-prerequisites [${path}]`,
      ...(path.endsWith('layer') ? [`${name}: embedded-library * [${path}]`] : []),
    ]),
  ];
  const own = await readFile(join(sources, 'deb', name, 'lintian'), 'utf8').catch(() => '');
  const text = [...why, own].join('\n').trim();
  if (text !== '') await write(join(root, 'usr/share/lintian/overrides', name), `${text}\n`);
}

async function finish(
  build: Build,
  name: string,
  root: string,
  out: string,
  depends: string,
  conffiles: readonly string[],
): Promise<string> {
  const files = await filesBelow(root);
  const sums = files.map((path) => relative(root, path));
  const size = await must('du', ['-k', '-s', '--apparent-size', root]);
  const folder = join(root, 'DEBIAN');
  const values: Readonly<Record<string, string>> = {
    VERSION: build.version,
    ARCH: build.machine.debian,
    MAINTAINER: maintainer,
    SIZE: String(Number.parseInt(size, 10)),
    DEPENDS: depends,
  };
  const control = await readFile(join(sources, 'deb', name, 'control'), 'utf8');
  await write(
    join(folder, 'control'),
    control.replace(/@([A-Z]+)@/g, (_, key: string) => values[key] ?? ''),
  );
  if (conffiles.length > 0) await write(join(folder, 'conffiles'), `${conffiles.join('\n')}\n`);
  const md5 = await must('sh', ['-c', 'cd "$0" && exec md5sum -- "$@"', root, ...sums]);
  await write(join(folder, 'md5sums'), md5);
  for (const script of ['preinst', 'postinst', 'prerm', 'postrm']) {
    const text = await readFile(join(sources, 'deb', name, script)).catch(() => undefined);
    if (text !== undefined) await write(join(folder, script), text, 0o755);
  }
  const path = join(out, `${name}_${build.version}_${build.machine.debian}.deb`);
  const env = { SOURCE_DATE_EPOCH: String(build.epoch) };
  const level = process.env['DEB_LEVEL'] ?? '6';
  await must('chmod', ['-R', 'u=rwX,go=rX', root]);
  await must('dpkg-deb', ['--root-owner-group', '-Zxz', `-z${level}`, '--build', root, path], env);
  return path;
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

async function write(path: string, bytes: string | Uint8Array, mode = 0o644): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, bytes);
  await chmod(path, mode);
}

async function place(from: string, to: string, mode = 0o644): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await cp(from, to);
  await chmod(to, mode);
}

/** No name and no time in it. */
function zipped(text: string): Uint8Array {
  return gzipSync(text, { level: 9 });
}

/** The time of the last change, as builds that shall come out the same give it. */
async function epochOf(): Promise<number> {
  const given = process.env['SOURCE_DATE_EPOCH'];
  if (given !== undefined && /^\d{1,11}$/.test(given)) return Number(given);
  return Number((await must('git', ['log', '-1', '--format=%ct'])).trim());
}

async function makeAll(
  machineFolder: string,
  out: string,
  names: readonly string[],
): Promise<void> {
  const machine = machineOf(machineFolder);
  if (machine === undefined) {
    const what = `${machineFolder} is no machine's build: build/x86_64, build/aarch64 or build/armv7l`;
    throw new CodedError('USAGE', what);
  }
  const version = `${await projectVersion()}-1`;
  const build: Build = { machineFolder, machine, version, epoch: await epochOf() };
  await mkdir(out, { recursive: true });
  for (const name of names) {
    const one = packages[name];
    const path =
      one === undefined ? await makeNodePackage(build, out) : await makePackage(build, one, out);
    print(`${path} ${bytesText((await readFile(path)).length)}`);
  }
  await rm(join(out, 'tree'), { recursive: true, force: true });
}

try {
  const [machineFolder = 'build', out = 'build/deb', ...names] = process.argv.slice(2);
  const all = [...Object.keys(packages), nodePackage];
  const unknown = names.find((name) => !all.includes(name));
  if (unknown !== undefined) {
    throw new CodedError('USAGE', `there is no package '${unknown}', but ${all.join(', ')}`);
  }
  await makeAll(machineFolder, out, names.length > 0 ? names : all);
} catch (error) {
  process.stderr.write(`${errorText('deb', error)}\n`);
  process.exitCode = 1;
}
