// SPDX-License-Identifier: Apache-2.0
// Where an image is, in skopeo's words: oci:DIR[:NAME] is a layout on disk, docker://REF a registry. A bare
// reference means the local store or the registry, as the command says.

import { join } from 'node:path';
import { CodedError } from '../../protocol/error.js';
import { formatReference, parseReference, type Reference } from '../oci/reference.js';

export type Place =
  | { readonly kind: 'layout'; readonly dir: string; readonly name?: string }
  | { readonly kind: 'registry'; readonly reference: Reference };

/** The layout that holds images by their whole reference, where no other is named. */
export function localStore(root: string): string {
  return join(root, 'var/lib/wherry-image');
}

/** @throws USAGE, IMAGE_REFERENCE */
export function parsePlace(text: string, bare: 'local' | 'registry', root: string): Place {
  if (text.startsWith('oci:')) return parseLayout(text.slice('oci:'.length));
  const isRemote = text.startsWith('docker://');
  const transport = /^([a-z-]+):\/\//.exec(text)?.[1];
  if (!isRemote && transport !== undefined) {
    throw new CodedError('USAGE', `'${text}': take docker://REF, oci:DIR[:NAME] or REF`);
  }
  const reference = parseReference(isRemote ? text.slice('docker://'.length) : text);
  if (isRemote || bare === 'registry') return { kind: 'registry', reference };
  return { kind: 'layout', dir: localStore(root), name: formatReference(reference) };
}

function parseLayout(text: string): Place {
  const colon = text.indexOf(':');
  const [dir, name] = colon < 0 ? [text, ''] : [text.slice(0, colon), text.slice(colon + 1)];
  if (dir === '') throw new CodedError('USAGE', 'oci: needs a folder: oci:DIR[:NAME]');
  return { kind: 'layout', dir, ...(name === '' ? {} : { name }) };
}

export function formatPlace(place: Place): string {
  if (place.kind === 'registry') return `docker://${formatReference(place.reference)}`;
  return `oci:${place.dir}${place.name === undefined ? '' : `:${place.name}`}`;
}
