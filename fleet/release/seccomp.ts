// SPDX-License-Identifier: Apache-2.0
// A seccomp profile in Docker's form as a release holds it: comments and empty conditions go, one name becomes a
// list of names. What it means is decided on the device, by its architecture and kernel.

import { type SeccompProfile, seccompProfile } from '../../protocol/isolation.js';
import { parseJson } from '../../protocol/json.js';

/** Of the file, with its comments; in the release it counts as the rest does. */
const bytesMax = 128 * 1024;
const dropped: readonly string[] = [
  'comment',
  'errno',
  'defaultErrno',
  'name',
  'listenerPath',
  'listenerMetadata',
];

/** @throws JSON_BAD, SHAPE_BAD */
export function readSeccomp(text: string, file: string): SeccompProfile {
  const document = parseJson(text, file, { bytesMax });
  return seccompProfile(plainOf(document), 'profile');
}

/** Without what is null, empty or for people only. Depth is bounded by parseJson. */
function plainOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plainOf);
  if (typeof value !== 'object' || value === null) return value;
  const source = value as Record<string, unknown>;
  const fields = Object.entries(source).filter(
    ([key, item]) => item !== null && !dropped.includes(key) && !isEmpty(key, item),
  );
  const names = typeof source['name'] === 'string' ? { names: [source['name']] } : {};
  return { ...names, ...Object.fromEntries(fields.map(([key, item]) => [key, plainOf(item)])) };
}

function isEmpty(key: string, item: unknown): boolean {
  if (key === 'includes' || key === 'excludes') return Object.keys(item as object).length === 0;
  return key === 'args' && Array.isArray(item) && item.length === 0;
}
