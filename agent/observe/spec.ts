// SPDX-License-Identifier: Apache-2.0
// The spec digest of a workload: what its container is made from. The image counts by its digest, which fixes
// the config too; a tag beside it and the start order do not make another container.

import { createHash } from 'node:crypto';
import type { Digest } from '../../protocol/name.js';
import type { Workload } from '../../protocol/release.js';
import type { Shared } from '../run/shared.js';

/**
 * The same workload gives the same digest, in whatever order its fields were written. `shared`: what it uses of
 * its release; nothing of it is as if there were none.
 */
export function specOf(workload: Workload, shared?: Shared): Digest {
  const { dependsOn: _order, image, ...made } = workload;
  const used = Object.entries(shared ?? {}).filter(([, items]) => items.length > 0);
  const text = canonical({
    ...made,
    image: image.digest,
    ...(used.length === 0 ? {} : { shared: Object.fromEntries(used) }),
  });
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

/** JSON with sorted keys. Recursion is bounded by the release's own form (JSON depth ≤ 32). */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const fields = Object.entries(value)
    .filter(([, item]) => item !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`);
  return `{${fields.join(',')}}`;
}
