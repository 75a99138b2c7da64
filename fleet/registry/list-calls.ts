// SPDX-License-Identifier: Apache-2.0
// The listings: tags, repositories, referrers. Pages by n and last with a Link to the next one.

import { object, optional, record, string } from '../../protocol/check.js';
import type { Digest } from '../../protocol/name.js';
import { type Call, sendJson } from './answer.js';
import type { Blobs } from './blobs.js';
import type { Entry, Repository } from './repository.js';
import { pageOf } from './route.js';
import { type Descriptor, mediaTypes, Refusal } from './types.js';

const pageMax = 1000;
/** The specification wants a referrers answer to stay below the size of a manifest. */
const referrersMax = 1000;

export function sendTags(call: Call, repository: Repository): void {
  if (repository.isEmpty) {
    throw new Refusal(404, 'NAME_UNKNOWN', `there is no repository ${repository.name}`);
  }
  const path = `/v2/${repository.name}/tags/list`;
  const { items, headers } = page(call, repository.tags, path);
  sendJson(call, 200, { name: repository.name, tags: items }, headers);
}

export function sendCatalog(call: Call, names: readonly string[]): void {
  const { items, headers } = page(call, names, '/v2/_catalog');
  sendJson(call, 200, { repositories: items }, headers);
}

function page(
  call: Call,
  sorted: readonly string[],
  path: string,
): { items: readonly string[]; headers: Record<string, string> } {
  const { count = pageMax, last } = pageOf(call.query);
  const after = last === '' ? sorted : sorted.filter((item) => item > last);
  const items = after.slice(0, Math.min(count, pageMax));
  const end = items.at(-1);
  if (end === undefined || items.length === after.length) return { items, headers: {} };
  const next = `${path}?n=${items.length}&last=${encodeURIComponent(end)}`;
  return { items, headers: { link: `<${next}>; rel="next"` } };
}

const annotated = object(
  { annotations: optional(record(string(), string({ lengthMax: 65_536 }), 256)) },
  { open: true },
);

/** An index of the manifests whose subject is the digest; an empty one where there is none. */
export async function sendReferrers(
  call: Call,
  repository: Repository,
  subject: Digest,
  blobs: Blobs,
): Promise<void> {
  const type = call.query.get('artifactType');
  const found = repository.entries
    .filter((entry) => entry.subject === subject)
    .filter((entry) => type === null || entry.artifactType === type)
    .slice(0, referrersMax);
  const manifests: Descriptor[] = [];
  for (const entry of found) manifests.push(await describe(entry, blobs));
  sendJson(
    call,
    200,
    { schemaVersion: 2, mediaType: mediaTypes.index, manifests },
    {
      'content-type': mediaTypes.index,
      ...(type === null ? {} : { 'oci-filters-applied': 'artifactType' }),
    },
  );
}

async function describe(entry: Entry, blobs: Blobs): Promise<Descriptor> {
  const bytes = await blobs.read(entry.digest);
  const content = bytes === undefined ? {} : annotated(JSON.parse(String(bytes)), 'manifest');
  const { mediaType, digest, size, artifactType } = entry;
  return {
    mediaType,
    digest,
    size,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(content.annotations === undefined ? {} : { annotations: content.annotations }),
  };
}
