// SPDX-License-Identifier: Apache-2.0
// Folders of containers and volumes below the state folder. Names are checked here too: this is the last
// place before a path is made of them.

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder } from '../../adapters/durable.js';
import { CodedError } from '../../protocol/error.js';
import { removeTree } from './tree.js';
import type { Folders } from './types.js';

/** One path component that is neither `.` nor `..` nor hidden. */
const namePattern = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;

export function foldersIn(
  places: { containers: string; volumes: string },
  staging: string,
): Folders {
  const folderOf = (parent: string, name: string): string => {
    if (namePattern.test(name)) return join(parent, name);
    throw new CodedError('SHAPE_BAD', `'${name.slice(0, 64)}' cannot be the name of a folder`);
  };
  const made = async (parent: string, name: string): Promise<string> => {
    const path = folderOf(parent, name);
    await makeFolder(path);
    return path;
  };
  return {
    container: (id) => made(places.containers, id),
    containers: async () => (await readdir(places.containers)).filter((id) => namePattern.test(id)),
    removeContainer: async (id) => removeTree(folderOf(places.containers, id), staging),
    volume: (name) => made(places.volumes, name),
  };
}
