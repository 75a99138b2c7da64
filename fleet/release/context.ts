// SPDX-License-Identifier: Apache-2.0
// What the readers of one Compose file share: what its top declares, the release's variables, the files beside
// it, and the notes for the person.

import { fault, type Place } from './fault.js';
import type { Lookup } from './interpolate.js';

export interface Context {
  /** Names of the services that the release has. */
  readonly services: ReadonlySet<string>;
  /** Key in the file → name on the device. */
  readonly volumes: ReadonlyMap<string, string>;
  readonly networks: ReadonlySet<string>;
  readonly configs: ReadonlySet<string>;
  readonly lookup: Lookup;
  /** A text file, its path relative to the file of the place. undefined only where `optional`. @throws COMPOSE_FILE */
  read(place: Place, path: string, optional?: boolean): string | undefined;
  /** For the person: what is taken and has no effect. */
  note(place: Place, text: string): void;
}

/** Gives the text of an absolute or relative path. @throws what the system says */
export type ReadText = (path: string) => string;

export function readBeside(readText: ReadText, place: Place, path: string): string | undefined {
  const isAbsolute = path.startsWith('/');
  const folder = place.file.includes('/') ? place.file.replace(/\/[^/]*$/, '/') : '';
  try {
    return readText(isAbsolute ? path : `${folder}${path}`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    const why = error instanceof Error ? error.message : String(error);
    throw fault('COMPOSE_FILE', place, `${path} cannot be read: ${why}`);
  }
}
