// SPDX-License-Identifier: Apache-2.0
// What a folder holds, line by line: kind, mode, owner, time, attributes and content of everything, so that two
// trees can be compared as text.

import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../adapters/exec.js';

/** Sorted by path; the top folder itself is left out, since every tool makes it in its own way. */
export async function listing(dir: string): Promise<string[]> {
  const attributes = await attributesOf(dir);
  return pathsBelow(dir, '').map((path) =>
    [path, ...wordsOf(join(dir, path)), attributes.get(path) ?? ''].join(' | '),
  );
}

function pathsBelow(dir: string, path: string): string[] {
  return readdirSync(join(dir, path))
    .sort()
    .flatMap((name) => {
      const own = path === '' ? name : `${path}/${name}`;
      return lstatSync(join(dir, own)).isDirectory() ? [own, ...pathsBelow(dir, own)] : [own];
    });
}

function wordsOf(path: string): Array<string | number> {
  const found = lstatSync(path);
  const { mode, uid, gid, mtimeMs, nlink } = found;
  const rest = [`${uid}:${gid}`, Math.floor(mtimeMs / 1000)];
  if (found.isSymbolicLink()) return ['link', '', ...rest, readlinkSync(path)];
  const shown = (mode & 0o7777).toString(8);
  if (!found.isFile()) return [found.isDirectory() ? 'folder' : 'node', shown, ...rest, ''];
  const digest = createHash('sha256').update(readFileSync(path)).digest('hex').slice(0, 16);
  return [`file ${nlink}`, shown, ...rest, digest];
}

/** By path, those that an image carries. */
async function attributesOf(dir: string): Promise<Map<string, string>> {
  const script = `import os,sys,json
out={}
for top,dirs,files in os.walk(sys.argv[1]):
  for n in dirs+files:
    p=os.path.join(top,n)
    a={k:os.getxattr(p,k,follow_symlinks=False).hex() for k in os.listxattr(p,follow_symlinks=False) if not k.startswith(('trusted.','security.selinux'))}
    if a: out[os.path.relpath(p,sys.argv[1])]=json.dumps(a,sort_keys=True)
print(json.dumps(out))`;
  const { stdout } = await run('python3', ['-c', script, dir]);
  return new Map(Object.entries(JSON.parse(stdout) as Record<string, string>));
}
