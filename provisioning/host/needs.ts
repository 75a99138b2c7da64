// SPDX-License-Identifier: Apache-2.0
// Which Debian packages a program or an addon needs, read from its dynamic section as dpkg-shlibdeps does, but
// for another machine's files too. Only the C and C++ runtimes can be among them.

import { CodedError } from '../../protocol/error.js';
import { must } from './tree.js';

const owners: Readonly<Record<string, string>> = {
  'libstdc++.so.6': 'libstdc++6',
  'libgcc_s.so.1': 'libgcc-s1',
  'libatomic.so.1': 'libatomic1',
};
/** The table of symbols' versions is long in a Node; only the names of versions count. */
const dynamicSection = 'readelf --wide -d "$0" && readelf -V "$0" | grep Name:';
const ofLibc = /^(lib(c|m|dl|pthread|rt|util)\.so\.\d|ld-linux.*)$/;

/** As in Depends: 'libc6 (>= 2.34), libstdc++6 (>= 9)'. @throws NATIVE_MISSING for a library that nobody owns */
export async function libraryDepends(paths: readonly string[]): Promise<string> {
  const found = new Map<string, string>();
  for (const path of paths) {
    const text = await must('sh', ['-c', dynamicSection, path]);
    for (const [, library = ''] of text.matchAll(/\(NEEDED\).*\[(.+)\]/g)) {
      const owner = ofLibc.test(library) ? 'libc6' : owners[library];
      if (owner === undefined) {
        const what = `${path} needs ${library}, which no package is known for`;
        throw new CodedError('NATIVE_MISSING', what, { path });
      }
      if (!found.has(owner)) found.set(owner, '0');
    }
    raise(found, 'libc6', versionsIn(text, 'GLIBC_'));
    raise(found, 'libstdc++6', versionsIn(text, 'CXXABI_').map(gccOf));
  }
  return [...found]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([owner, version]) => (version === '0' ? owner : `${owner} (>= ${version})`))
    .join(', ');
}

function versionsIn(text: string, prefix: string): string[] {
  return [...text.matchAll(new RegExp(`Name: ${prefix}(\\d[0-9.]*)`, 'g'))].map(
    ([, word = '']) => word,
  );
}

/** The GCC that first had a version of the C++ ABI: 1.3.9 came with 5, 1.3.13 with 11. */
function gccOf(abi: string): string {
  const last = Number(/^1\.3\.(\d+)$/.exec(abi)?.[1] ?? 0);
  if (last >= 13) return '11';
  return last >= 11 ? '7' : '5';
}

function raise(found: Map<string, string>, owner: string, versions: readonly string[]): void {
  for (const version of versions) {
    const before = found.get(owner);
    if (before !== undefined && isNewer(version, before)) found.set(owner, version);
  }
}

function isNewer(a: string, b: string): boolean {
  return a.localeCompare(b, 'en', { numeric: true }) > 0;
}
