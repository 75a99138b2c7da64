// SPDX-License-Identifier: Apache-2.0
// ls, tag and rm: the names of the local store, of a layout, or of a registry where docker:// says so.

import type { Command, Parsed } from '../../adapters/command.js';
import { bytesText, print, show } from '../../adapters/terminal.js';
import { CodedError, messageOf } from '../../protocol/error.js';
import { shortOf } from '../../protocol/name.js';
import { entryName, type Layout, openLayout } from '../layout/layout.js';
import { parseConfig } from '../oci/config.js';
import type { Descriptor } from '../oci/descriptor.js';
import { parseManifest } from '../oci/manifest.js';
import { formatPlatform, isAttestation } from '../oci/platform.js';
import { formatReference, nameOf, type Reference } from '../oci/reference.js';
import { localStore, parsePlace } from './place.js';
import { jsonOption, registryOptions, rootOf, withSession } from './session.js';

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
    about: 'List the images of the local store or of a layout, or the tags of a registry',
    args: '[oci:DIR|docker://REPOSITORY]',
    options: { ...jsonOption, ...registryOptions },
    run: async (parsed) => {
      if (parsed.args[0]?.startsWith('docker://') === true) return listTags(parsed);
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
    about:
      'Give an image of the local store, of a layout or of a registry (docker://) one more name',
    args: 'SRC NAME',
    options: registryOptions,
    run: async (parsed) => {
      const [from = '', to = ''] = parsed.args;
      if (from.startsWith('docker://')) return tagThere(parsed, from, to);
      const source = placeOf(parsed, from);
      const layout = await openLayout(source.dir);
      const target = from.startsWith('oci:') ? to : (placeOf(parsed, to).name ?? to);
      await layout.tag(target, await layout.find(source.name));
      return 0;
    },
  },
  {
    name: 'rm',
    about: 'Take names away, and the blobs that no name needs any more; docker:// from a registry',
    args: 'SRC...',
    options: registryOptions,
    run: async (parsed) => {
      for (const text of parsed.args) {
        if (text.startsWith('docker://')) {
          await removeThere(parsed, text);
          continue;
        }
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

function remoteOf(parsed: Parsed, text: string): Reference {
  const place = parsePlace(text, 'registry', rootOf(parsed));
  if (place.kind === 'registry') return place.reference;
  throw new CodedError('USAGE', `'${text}' is not of a registry`);
}

async function listTags(parsed: Parsed): Promise<number> {
  const reference = remoteOf(parsed, parsed.args[0] ?? '');
  return withSession(parsed, async ({ registry, signal }) => {
    const tags = await registry.tags(reference, signal);
    const rows = tags.map((tag) => ({ tag }));
    show(rows, parsed.flag('json'), ['TAG'], (row) => [row.tag]);
    return 0;
  });
}

/** `to` is a tag, or a whole reference of the same repository. */
async function tagThere(parsed: Parsed, from: string, to: string): Promise<number> {
  const source = remoteOf(parsed, from);
  const target = /^[\w][\w.-]{0,127}$/.test(to) ? { ...source, tag: to } : remoteOf(parsed, to);
  if (nameOf(target) !== nameOf(source) || target.tag === undefined) {
    throw new CodedError(
      'USAGE',
      `take a tag of ${nameOf(source)}; copy goes to other repositories`,
    );
  }
  const { host, repository, tag } = target;
  return withSession(parsed, async ({ registry, signal }) => {
    const top = await registry.manifest(source, signal);
    const { mediaType } = parseManifest(top.bytes, top.mediaType);
    await registry.pushManifest({ host, repository, tag }, { ...top, mediaType }, signal);
    print(`docker://${host}/${repository}:${tag}`);
    return 0;
  });
}

async function removeThere(parsed: Parsed, text: string): Promise<number> {
  const reference = remoteOf(parsed, text);
  return withSession(parsed, async ({ registry, signal }) => {
    await registry.remove(reference, signal);
    print(`docker://${formatReference(reference)} removed`);
    return 0;
  });
}

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
      const platforms = manifest.manifests
        .filter((one) => !isAttestation(one))
        .map(({ platform }) => (platform === undefined ? 'unnamed' : formatPlatform(platform)));
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
