// SPDX-License-Identifier: Apache-2.0
// Paths as texts. It looks at no file: that no link leads out is seen to by who opens one (native/run/mount.c).

/** Whether `path` is `root` or below it; both absolute, without . and .. parts. */
export function isBelow(path: string, root: string): boolean {
  const bare = root.replace(/\/+$/, '');
  return path === bare || path.startsWith(`${bare}/`);
}
