// SPDX-License-Identifier: Apache-2.0
// Looks into an image through its unpacked layers, without mounting them: topmost first, whiteouts (character
// device 0:0) hide, symbolic links are resolved inside the image and can never lead out of it, since every
// step is a real folder of a layer. It cannot see overlayfs' opaque mark (Node reads no xattrs): a file below
// an opaque folder is found though the container would not see it.

import type { Stats } from 'node:fs';
import { constants } from 'node:fs';
import { lstat, open, readlink } from 'node:fs/promises';
import { errnoOf } from '../../adapters/durable.js';
import { CodedError } from '../../protocol/error.js';

const linkCountMax = 40;

/** A place in the image: the same path in each layer that has a say, topmost first. */
export interface Place {
  readonly stats: Stats;
  /** Real paths: one for a file, every merged folder for a folder. */
  readonly paths: readonly string[];
}

interface Walk {
  /** From the root down to where we are. */
  trail: Place[];
  todo: string[];
  links: number;
}

/** @param layers unpacked folders, topmost first. Undefined if the image has no such path. @throws RUN_IMAGE_PATH */
export async function find(layers: readonly string[], path: string): Promise<Place | undefined> {
  const walk: Walk = { trail: [await rootOf(layers)], todo: parts(path), links: 0 };
  while (walk.todo.length > 0) {
    const [name = '', ...rest] = walk.todo;
    walk.todo = rest;
    if (name === '..') {
      walk.trail = walk.trail.slice(0, Math.max(1, walk.trail.length - 1));
      continue;
    }
    const next = await child(walk.trail.at(-1)?.paths ?? [], name);
    if (next === undefined) return undefined;
    if (next.stats.isSymbolicLink()) await followLink(walk, next, path);
    else walk.trail.push(next);
  }
  return walk.trail.at(-1);
}

async function followLink(walk: Walk, link: Place, path: string): Promise<void> {
  walk.links += 1;
  if (walk.links > linkCountMax) throw bad(path, 'has too many symbolic links');
  const target = await readlink(link.paths[0] ?? '');
  if (target.startsWith('/')) walk.trail = walk.trail.slice(0, 1);
  walk.todo = [...parts(target), ...walk.todo];
}

/** What `name` is in a merged folder; a symbolic link is given as itself. */
export async function child(folders: readonly string[], name: string): Promise<Place | undefined> {
  const paths: string[] = [];
  let top: Stats | undefined;
  for (const folder of folders) {
    const path = `${folder}/${name}`;
    const stats = await lstatIfThere(path);
    if (stats === undefined) continue;
    if (isWhiteout(stats)) break;
    if (top !== undefined && !stats.isDirectory()) break; // a file below a folder is hidden by it
    top ??= stats;
    paths.push(path);
    if (!stats.isDirectory()) break;
  }
  return top === undefined ? undefined : { stats: top, paths };
}

/** The bytes of a plain file of the image, or undefined. @throws RUN_IMAGE_PATH if it is something else or too large */
export async function readFileIn(
  layers: readonly string[],
  path: string,
  bytesMax: number,
): Promise<string | undefined> {
  const place = await find(layers, path);
  if (place === undefined) return undefined;
  if (!place.stats.isFile()) throw bad(path, 'is not a plain file');
  if (place.stats.size > bytesMax) throw bad(path, `is larger than ${bytesMax} bytes`);
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(place.paths[0] ?? '', flags);
  try {
    return (await file.readFile()).toString('utf8');
  } finally {
    await file.close();
  }
}

export function isWhiteout(stats: Stats): boolean {
  return stats.isCharacterDevice() && stats.rdev === 0;
}

function parts(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

async function rootOf(layers: readonly string[]): Promise<Place> {
  const top = layers[0];
  if (top === undefined) throw bad('/', 'has no layer');
  return { stats: await lstat(top), paths: layers };
}

async function lstatIfThere(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

function bad(path: string, what: string): CodedError {
  return new CodedError('RUN_IMAGE_PATH', `${path} in the image ${what}`, { path });
}
