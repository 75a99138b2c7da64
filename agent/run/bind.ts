// SPDX-License-Identifier: Apache-2.0
// Host folders for binds: only those below the folders that the device's policy names, and made there without going
// through a link, which a container with a bind of its own may have laid. That no link leads out when the bind is
// mounted is seen to by native/run/mount.c.

import { lstat, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../../adapters/durable.js';
import type { Mount } from '../../protocol/content.js';
import { CodedError } from '../../protocol/error.js';
import { isBelow } from '../../protocol/path.js';

/** The outermost allowed folder above the bind's source. @throws RUN_BIND */
export function rootOfBind(wanted: Mount, bindRoots: readonly string[]): string {
  const { source = '', target } = wanted;
  const roots = bindRoots.filter((root) => isBelow(source, root));
  const [outermost] = roots.sort((a, b) => a.length - b.length);
  if (outermost !== undefined) return outermost;
  const what = `the bind mount's source ${source} is below no allowed folder`;
  throw new CodedError('RUN_BIND', what, { source, target });
}

/** Folders that binds ask to be made. @throws RUN_BIND */
export async function makeBindSources(
  mounts: readonly Mount[],
  bindRoots: readonly string[],
): Promise<void> {
  for (const wanted of mounts) {
    if (wanted.type !== 'bind' || wanted.createHostPath !== true) continue;
    const { source = '', target } = wanted;
    const root = rootOfBind(wanted, bindRoots);
    await mkdir(root, { recursive: true });
    if (isBelow('/', root))
      await mkdir(source, { recursive: true }); // every path is allowed, so links are
    else await makeBelow(root, source, target);
  }
}

async function makeBelow(root: string, source: string, target: string): Promise<void> {
  let path = root;
  for (const part of source.slice(root.length).split('/').filter(Boolean)) {
    path = join(path, part);
    await mkdir(path).catch((error: unknown) => {
      if (errnoOf(error) !== 'EEXIST') throw error;
    });
    if (path === source || !(await lstat(path)).isSymbolicLink()) continue;
    const what = `the bind mount's source ${source} leads over the link ${path}`;
    throw new CodedError('RUN_BIND', what, { source, target });
  }
}
