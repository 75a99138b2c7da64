// SPDX-License-Identifier: Apache-2.0
// ls, tag and rm: the names of the local store, or of a layout that is named.

import type { Command, Parsed } from '../../adapters/command.js';
import { bytesText, print, show } from '../../adapters/terminal.js';
import { CodedError, messageOf } from '../../protocol/error.js';
import { shortOf } from '../../protocol/name.js';
import { entryName, type Layout, openLayout } from '../layout/layout.js';
import { parseConfig } from '../oci/config.js';
import type { Descriptor } from '../oci/descriptor.js';
import { parseManifest } from '../oci/manifest.js';
import { formatPlatform } from '../oci/platform.js';
import { localStore, parsePlace } from './place.js';
import { jsonOption, rootOf } from './session.js';

interface Row {
  readonly reference: string;
  readonly digest: string;
  readonly platforms: readonly string[];
  readonly sizeBytes: number;
  readonly created: string;
}

export const localCommands: readonly Command[] = [
  {
    name: 'ls',
    about: 'List the images of the local store or of a layout',
    args: '[oci:DIR]',
    options: jsonOption,
    run: async (parsed) => {
      const place = placeOf(parsed, parsed.args[0] ?? `oci:${localStore(rootOf(parsed))}`);
      const isOwn = parsed.args.length === 0;
      const layout = await openLayout(place.dir, isOwn ? { create: true } : {});
      const rows: Row[] = [];
      for (const entry of await layout.entries()) rows.push(await rowOf(layout, entry));
      show(
        rows.sort((a, b) => (a.reference < b.reference ? -1 : 1)),
        parsed.flag('json'),
        ['REFERENCE', 'DIGEST', 'PLATFORM', 'SIZE', 'CREATED'],
        (row) => [
          row.reference,
          shortOf(row.digest as `sha256:${string}`),
          row.platforms.join(','),
          bytesText(row.sizeBytes),
          row.created,
        ],
      );
      return 0;
    },
  },
  {
    name: 'tag',
    about: 'Give an image of the local store or of a layout one more name',
    args: 'SRC NAME',
    run: async (parsed) => {
      const [from = '', to = ''] = parsed.args;
      const source = placeOf(parsed, from);
      const layout = await openLayout(source.dir);
      const target = from.startsWith('oci:') ? to : (placeOf(parsed, to).name ?? to);
      await layout.tag(target, await layout.find(source.name));
      return 0;
    },
  },
  {
    name: 'rm',
    about: 'Take names away, and the blobs that no name needs any more',
    args: 'SRC...',
    run: async (parsed) => {
      for (const text of parsed.args) {
        const { dir, name } = placeOf(parsed, text);
        if (name === undefined) throw new CodedError('USAGE', `'${text}' names no image`);
        const layout = await openLayout(dir);
        await layout.untag(name);
        print(`${name} removed, ${bytesText(await layout.prune())} freed`);
      }
      return 0;
    },
  },
];

function placeOf(parsed: Parsed, text: string): { dir: string; name?: string } {
  const place = parsePlace(text, 'local', rootOf(parsed));
  if (place.kind === 'layout') return place;
  throw new CodedError('USAGE', `'${text}' is not local: take REF or oci:DIR:NAME`);
}

/** One damaged image must not hide the others: it is listed with what is wrong. */
async function rowOf(layout: Layout, entry: Descriptor): Promise<Row> {
  const { digest } = entry;
  const reference = entryName(entry) ?? '<none>';
  try {
    const manifest = parseManifest(await layout.blobs.read(digest), entry.mediaType);
    if (manifest.kind === 'index') {
      const platforms = manifest.manifests.map(({ platform }) =>
        platform === undefined ? 'unnamed' : formatPlatform(platform),
      );
      return { reference, digest, platforms, sizeBytes: entry.size, created: '' };
    }
    const config = parseConfig(await layout.blobs.read(manifest.config.digest));
    const sizeBytes = manifest.layers.reduce((sum, { size }) => sum + size, manifest.config.size);
    const platforms = [formatPlatform(config)];
    return { reference, digest, platforms, sizeBytes, created: config.created ?? '' };
  } catch (error) {
    return { reference, digest, platforms: [messageOf(error)], sizeBytes: 0, created: '' };
  }
}
