// SPDX-License-Identifier: Apache-2.0
// inspect: what an image is, in the words of skopeo inspect; --raw gives the manifest's or the config's own
// bytes, so that they can be hashed and compared.

import type { Command } from '../../adapters/command.js';
import { jsonText, print } from '../../adapters/terminal.js';
import { codeOf } from '../../protocol/error.js';
import { parseConfig } from '../oci/config.js';
import { type Manifest, parseManifest } from '../oci/manifest.js';
import { formatPlatform, type Platform, parsePlatform, pickManifest } from '../oci/platform.js';
import type { FetchedManifest } from '../registry/manifest.js';
import { formatPlace, type Place, parsePlace } from './place.js';
import { registryOptions, withSession } from './session.js';
import { openSource, type Source } from './source.js';

export const inspectCommand: Command = {
  name: 'inspect',
  about: 'Show an image of the local store, a layout or a registry as JSON',
  args: 'REF|oci:DIR[:NAME]',
  options: {
    raw: { type: 'boolean', about: 'The bytes of the manifest or index as they are' },
    config: { type: 'boolean', about: 'With --raw: the bytes of the config' },
    platform: {
      type: 'string',
      value: 'OS/ARCH[/VARIANT]',
      about: 'The image of an index for this platform (default: the index itself)',
    },
    ...registryOptions,
  },
  run: async (parsed) =>
    withSession(parsed, async ({ registry, signal, root }) => {
      const [text = ''] = parsed.args;
      const { place, source, top } = await findImage(text, root, async (found) =>
        openSource(found, registry, signal),
      );
      if (parsed.flag('raw') && !parsed.flag('config')) {
        process.stdout.write(top.bytes);
        return 0;
      }
      const wanted = parsed.text('platform');
      const platform = wanted === undefined ? undefined : parsePlatform(wanted);
      const found = await manifestOf(source, top, platform);
      if (found === undefined) {
        print(jsonText(indexFields(place, top)));
        return 0;
      }
      const config = await source.config(found.manifest.config);
      if (parsed.flag('raw')) process.stdout.write(config);
      else print(jsonText(imageFields(place, top, found, config)));
      return 0;
    }),
};

/** A bare reference is looked for in the local store first, then in the registry. */
async function findImage(
  text: string,
  root: string,
  open: (place: Place) => Promise<Source>,
): Promise<{ place: Place; source: Source; top: FetchedManifest }> {
  const local = parsePlace(text, 'local', root);
  try {
    const source = await open(local);
    return { place: local, source, top: await source.top() };
  } catch (error) {
    const isBare = local.kind === 'layout' && !text.startsWith('oci:');
    const isAbsent = codeOf(error) === 'IMAGE_UNKNOWN' || codeOf(error) === 'IMAGE_LAYOUT';
    if (!isBare || !isAbsent) throw error;
  }
  const place = parsePlace(text, 'registry', root);
  const source = await open(place);
  return { place, source, top: await source.top() };
}

interface Found {
  readonly fetched: FetchedManifest;
  readonly manifest: Manifest;
}

/** Undefined for an index that is to be shown as such. */
async function manifestOf(
  source: Source,
  top: FetchedManifest,
  platform: Platform | undefined,
): Promise<Found | undefined> {
  const read = parseManifest(top.bytes, top.mediaType);
  if (read.kind === 'manifest') return { fetched: top, manifest: read };
  if (platform === undefined) return undefined;
  const entry = pickManifest(read, platform);
  const fetched = await source.manifest(entry);
  const manifest = parseManifest(fetched.bytes, entry.mediaType);
  return manifest.kind === 'manifest' ? { fetched, manifest } : undefined;
}

function indexFields(place: Place, top: FetchedManifest): object {
  const read = parseManifest(top.bytes, top.mediaType);
  return {
    Name: formatPlace(place),
    Digest: top.digest,
    MediaType: read.mediaType,
    Manifests: (read.kind === 'index' ? read.manifests : []).map((entry) => ({
      Digest: entry.digest,
      Size: entry.size,
      Platform: entry.platform === undefined ? null : formatPlatform(entry.platform),
    })),
  };
}

function imageFields(
  place: Place,
  top: FetchedManifest,
  { fetched, manifest }: Found,
  configBytes: Buffer,
): object {
  const config = parseConfig(configBytes);
  const { config: run = {} } = JSON.parse(configBytes.toString('utf8')) as { config?: object };
  return {
    Name: formatPlace(place),
    Digest: top.digest,
    Manifest: fetched.digest,
    MediaType: manifest.mediaType,
    Created: config.created ?? null,
    Platform: formatPlatform(config),
    Architecture: config.architecture,
    Os: config.os,
    Size: manifest.layers.reduce((sum, { size }) => sum + size, manifest.config.size),
    Layers: manifest.layers.map(({ digest, size, mediaType }, at) => ({
      Digest: digest,
      DiffID: config.diffIds[at] ?? null,
      Size: size,
      MediaType: mediaType,
    })),
    Labels: config.labels,
    Env: config.env,
    Config: run,
  };
}
