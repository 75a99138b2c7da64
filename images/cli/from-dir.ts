// SPDX-License-Identifier: Apache-2.0
// from-dir: the options of an image made from folders, in the words of docker build, podman and Dockerfile.

import { statSync } from 'node:fs';
import type { Command, Parsed } from '../../adapters/command.js';
import { bytesText, print } from '../../adapters/terminal.js';
import { CodedError } from '../../protocol/error.js';
import { openLayout } from '../layout/layout.js';
import type { Compression } from '../oci/media.js';
import { formatPlatform, hostPlatform, parsePlatform } from '../oci/platform.js';
import { formatReference, parseReference } from '../oci/reference.js';
import { buildImage } from './build.js';
import { formatPlace, localStore } from './place.js';
import { runDefaultsOf, runOptions } from './run-options.js';
import { jsonOption, rootOf, withSession } from './session.js';
import { outputPlace } from './transfer.js';

export const fromDirCommand: Command = {
  name: 'from-dir',
  about: 'Make an image from folders, one layer each, the lowest first',
  args: 'DIR...',
  options: {
    tag: { type: 'string', short: 't', value: 'REF', about: 'Name of the image (needed)' },
    output: {
      type: 'string',
      short: 'o',
      value: 'oci:DIR[:NAME]',
      about: 'Layout to write to (default the local store)',
    },
    compression: {
      type: 'string',
      value: 'zstd|gzip|none',
      default: 'gzip',
      about: 'Of the layers',
    },
    level: { type: 'string', value: 'N', about: 'Of the compression, 1 to 19' },
    platform: {
      type: 'string',
      value: 'OS/ARCH[/VARIANT]',
      about: "What it runs on (default this host's)",
    },
    created: {
      type: 'string',
      value: 'TIME',
      about: 'Of image and files, RFC 3339 (default $SOURCE_DATE_EPOCH, else 1970)',
    },
    ...runOptions,
    ...jsonOption,
  },
  run: fromDir,
};

async function fromDir(parsed: Parsed): Promise<number> {
  const tag = parsed.text('tag');
  if (tag === undefined) throw new CodedError('USAGE', 'from-dir needs a name: --tag REF');
  for (const dir of parsed.args) checkFolder(dir);
  const reference = parseReference(tag);
  if (reference.digest !== undefined) throw new CodedError('USAGE', '--tag takes no digest');
  const own = {
    kind: 'layout',
    dir: localStore(rootOf(parsed)),
    name: formatReference(reference),
  } as const;
  const output = parsed.text('output');
  const place = output === undefined ? own : outputPlace(output, reference, rootOf(parsed));
  if (place.kind !== 'layout') throw new CodedError('USAGE', '--output takes oci:DIR[:NAME]');
  const level = parsed.integer('level', { min: 1, max: 19 });
  const text = parsed.text('platform');
  const platform = text === undefined ? hostPlatform() : parsePlatform(text);
  const options = {
    name: place.name ?? 'latest',
    dirs: parsed.args,
    compression: compressionFrom(parsed.text('compression') ?? 'gzip'),
    ...(level === undefined ? {} : { level }),
    platform,
    createdAt: createdAt(parsed.text('created'), process.env['SOURCE_DATE_EPOCH']),
    run: runDefaultsOf(parsed),
  };
  return withSession(parsed, async ({ progress, signal }) => {
    const layout = await openLayout(place.dir, { create: true });
    const built = await buildImage({
      ...options,
      layout,
      signal,
      onLayer: (done, total, dir) => progress('layers', done, total, `${done} / ${total} ${dir}`),
    });
    const { manifest, config, layers, sizeBytes } = built;
    const shown = { place: formatPlace(place), digest: manifest.digest, config: config.digest };
    if (parsed.flag('json')) {
      print(
        JSON.stringify(
          { ...shown, platform: formatPlatform(platform), sizeBytes, layers },
          null,
          2,
        ),
      );
    } else {
      print(
        `${shown.place}\n${shown.digest} (${layers.length} ${layers.length === 1 ? 'layer' : 'layers'}, ${bytesText(sizeBytes)})`,
      );
    }
    return 0;
  });
}

function checkFolder(dir: string): void {
  if (statSync(dir, { throwIfNoEntry: false })?.isDirectory() === true) return;
  throw new CodedError('USAGE', `'${dir}' is not a folder; see 'wherry-image from-dir --help'`);
}

function compressionFrom(word: string): Compression {
  if (word === 'zstd' || word === 'gzip' || word === 'none') return word;
  throw new CodedError('USAGE', `--compression takes zstd, gzip or none, not '${word}'`);
}

/** RFC 3339, or seconds since 1970 as reproducible builds write them. */
function createdAt(text: string | undefined, epoch: string | undefined): number {
  const word = text ?? (epoch === undefined || epoch === '' ? '0' : epoch);
  const ms = /^\d{1,11}$/.test(word) ? Number(word) * 1000 : Date.parse(word);
  if (Number.isNaN(ms) || ms < 0) {
    throw new CodedError(
      'USAGE',
      `--created takes a time like 2026-01-31T12:00:00Z, not '${word}'`,
    );
  }
  return Math.floor(ms / 1000) * 1000;
}
