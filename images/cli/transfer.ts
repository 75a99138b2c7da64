// SPDX-License-Identifier: Apache-2.0
// push, pull and copy: the same copy between different places.

import type { Command, Parsed } from '../../adapters/command.js';
import { bytesText, jsonText, print } from '../../adapters/terminal.js';
import { formatReference } from '../oci/reference.js';
import { copyImage } from './copy.js';
import { formatPlace, type Place, parsePlace } from './place.js';
import {
  jsonOption,
  platformOf,
  platformOptions,
  registryOptions,
  rootOf,
  withSession,
} from './session.js';
import { openSource, openTarget } from './source.js';

const shared = { ...registryOptions, ...jsonOption };

export const transferCommands: readonly Command[] = [
  {
    name: 'push',
    about: 'Send an image of the local store or of a layout to a registry, whole',
    args: 'SRC [DEST]',
    options: shared,
    run: async (parsed) => {
      const [from = '', to = from] = parsed.args;
      const source = parsePlace(from, 'local', rootOf(parsed));
      return transfer(parsed, source, parsePlace(to, 'registry', rootOf(parsed)), true);
    },
  },
  {
    name: 'pull',
    about: 'Fetch an image from a registry into the local store or a layout',
    args: 'REF',
    options: {
      output: { type: 'string', short: 'o', value: 'oci:DIR[:NAME]', about: 'Layout to write to' },
      ...platformOptions,
      ...shared,
    },
    run: async (parsed) => {
      const [text = ''] = parsed.args;
      const source = parsePlace(text, 'registry', rootOf(parsed));
      return transfer(parsed, source, pullTarget(parsed, source, text), false);
    },
  },
  {
    name: 'copy',
    about: 'Copy an image between layouts and registries',
    args: 'SRC DEST',
    options: { ...platformOptions, ...shared },
    run: async (parsed) => {
      const [from = '', to = ''] = parsed.args;
      const root = rootOf(parsed);
      const source = parsePlace(from, 'registry', root);
      return transfer(parsed, source, parsePlace(to, 'registry', root), false);
    },
  },
];

function pullTarget(parsed: Parsed, source: Place, text: string): Place {
  const root = rootOf(parsed);
  const output = parsed.text('output');
  if (output === undefined) return parsePlace(text.replace(/^docker:\/\//, ''), 'local', root);
  return outputPlace(output, source.kind === 'registry' ? source.reference : {}, root);
}

/** A layout without a name gets the tag, as skopeo and buildah write it. */
export function outputPlace(output: string, reference: { tag?: string }, root: string): Place {
  const place = parsePlace(output, 'local', root);
  if (place.kind === 'registry' || place.name !== undefined) return place;
  return { ...place, name: reference.tag ?? 'latest' };
}

async function transfer(parsed: Parsed, from: Place, to: Place, isWhole: boolean): Promise<number> {
  return withSession(parsed, async ({ registry, signal, progress }) => {
    const source = await openSource(from, registry, signal);
    const target = await openTarget(to, registry, signal);
    const label =
      from.kind === 'registry' ? formatReference(from.reference) : (from.name ?? from.dir);
    const copied = await copyImage(source, target, {
      platform: isWhole ? undefined : platformOf(parsed),
      onProgress: (done, total) => {
        signal.throwIfAborted();
        progress(label, done, total);
      },
    });
    const place = formatPlace(to);
    if (parsed.flag('json')) {
      print(jsonText({ place, ...copied }));
    } else {
      const size = `${bytesText(copied.sizeBytes)}, ${bytesText(copied.sentBytes)} sent`;
      print(`${place}\n${copied.digest} (${size})`);
    }
    return 0;
  });
}
