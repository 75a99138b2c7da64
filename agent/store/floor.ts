// SPDX-License-Identifier: Apache-2.0
// Below what the device never goes back: the assignment accepted last, and the counter of each app's best good
// release. The database knows it too; this is its second copy, <state>/floor.json, so that one worn page of the
// medium does not open the way to every old release.
// INVARIANT: it is durable before the database takes an assignment or a commit, and it only grows.

import { createHash } from 'node:crypto';
import { errnoOf, readIfThere, writeDurable } from '../../adapters/durable.js';
import type { Log } from '../../adapters/log.js';
import type { Db } from '../../adapters/sqlite.js';
import type { Assignment } from '../../protocol/assignment.js';
import { integer, nullable, object, optional, record, string } from '../../protocol/check.js';
import { parseJson } from '../../protocol/json.js';
import { digest } from '../../protocol/name.js';
import type { Mark } from './types.js';

export interface Floor {
  /** undefined = none was ever accepted. */
  readonly mark: Mark | undefined;
  readonly counters: Readonly<Record<string, number>>;
}

export interface FloorFile {
  readonly now: Floor;
  /** Durable when it resolves; what is lower than what is there changes nothing. */
  raise(floor: Partial<Floor>): Promise<void>;
}

const whole = integer(0, Number.MAX_SAFE_INTEGER);
/** Apps whose releases were good here; each is signed by a release key. */
const appCountMax = 4096;
const bytesMax = 1024 * 1024;

const floorCheck = object({
  mark: nullable(
    object({
      epoch: whole,
      generation: whole,
      release: nullable(digest),
      variables: optional(digest),
    }),
  ),
  counters: record(string({ lengthMax: 256 }), whole, appCountMax),
});
const fileCheck = object({
  floor: string({ lengthMax: bytesMax }),
  sha256: string({ lengthMax: 64 }),
});

const noFloor: Floor = { mark: undefined, counters: {} };

/**
 * The file, raised to what the database knows; raising the database's counters is the caller's. Where neither
 * could be read the device is as new: that is said in the log, and in a condition until a release has become
 * good again. `recovered`: the database is new, since the one before was damaged.
 */
export async function openFloor(
  path: string,
  db: Db,
  recovered: boolean,
  log: Log,
): Promise<FloorFile> {
  const { file, found } = await readFloor(path);
  const known = await floorOf(db);
  if (found === 'damaged')
    log.error({ code: 'STORE_CORRUPT', path }, 'store: the floor is damaged');
  const isLost =
    known.mark === undefined && (found === 'damaged' || (found === 'none' && recovered));
  if (isLost) {
    await db.run("INSERT OR REPLACE INTO facts VALUES ('floorLost', '1')");
    log.error({ code: 'STORE_FORGOT', path }, 'store: what was accepted here before is forgotten');
  }
  await file.raise(known);
  return file;
}

/** What the database knows of it. */
async function floorOf(db: Db): Promise<Floor> {
  const accepted = await db.get<{ assignment: string }>('SELECT assignment FROM desired');
  const counters = await db.all<{ app: string; counter: number }>('SELECT * FROM counters');
  return {
    mark:
      accepted === undefined ? undefined : markOf(JSON.parse(accepted.assignment) as Assignment),
    counters: Object.fromEntries(counters.map(({ app, counter }) => [app, counter])),
  };
}

export function markOf({ epoch, generation, release, variables = {} }: Assignment): Mark {
  const mark = { epoch, generation, release: release?.digest ?? null };
  const sorted = Object.entries(variables).sort(([a], [b]) => (a < b ? -1 : 1));
  if (sorted.length === 0) return mark;
  return { ...mark, variables: `sha256:${sumOf(JSON.stringify(sorted))}` };
}

async function readFloor(
  path: string,
): Promise<{ file: FloorFile; found: 'none' | 'whole' | 'damaged' }> {
  const bytes = await bytesOf(path);
  const read = bytes === undefined ? noFloor : parse(bytes, path);
  let now = read ?? noFloor;
  let isWritten = bytes !== undefined && read !== undefined;
  let writing: Promise<void> = Promise.resolve();
  const write = async (floor: Partial<Floor>): Promise<void> => {
    const next = higher(now, { ...noFloor, ...floor });
    if (isWritten && textOf(next) === textOf(now)) return;
    await writeDurable(path, fileOf(next), { mode: 0o600 });
    now = next;
    isWritten = true;
  };
  const file: FloorFile = {
    get now(): Floor {
      return now;
    },
    raise: (floor) => {
      const done = writing.then(() => write(floor));
      writing = done.catch(() => undefined);
      return done;
    },
  };
  if (bytes === undefined) return { file, found: 'none' };
  return { file, found: read === undefined ? 'damaged' : 'whole' };
}

/** What the medium cannot read any more is damaged, and no bytes is what that looks like. */
async function bytesOf(path: string): Promise<Buffer | undefined> {
  try {
    return await readIfThere(path);
  } catch (error) {
    if (errnoOf(error) === 'EIO') return Buffer.alloc(0);
    throw error;
  }
}

/** The higher of two in each part. */
function higher(one: Floor, other: Floor): Floor {
  const counters = { ...one.counters };
  for (const [app, counter] of Object.entries(other.counters)) {
    counters[app] = Math.max(counters[app] ?? 0, counter);
  }
  return { mark: isAbove(other.mark, one.mark) ? other.mark : one.mark, counters };
}

function isAbove(one: Mark | undefined, other: Mark | undefined): boolean {
  if (one === undefined || other === undefined) return one !== undefined;
  return one.epoch === other.epoch ? one.generation > other.generation : one.epoch > other.epoch;
}

/** The same floor has the same text. */
function textOf({ mark, counters }: Floor): string {
  const sorted = Object.entries(counters).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify({ mark: mark ?? null, counters: Object.fromEntries(sorted) });
}

function fileOf(floor: Floor): string {
  const text = textOf(floor);
  return `${JSON.stringify({ floor: text, sha256: sumOf(text) })}\n`;
}

function parse(bytes: Buffer, path: string): Floor | undefined {
  try {
    const limits = { bytesMax };
    const { floor: text, sha256 } = fileCheck(
      parseJson(bytes.toString('utf8'), path, limits),
      path,
    );
    if (sumOf(text) !== sha256) return undefined;
    const { mark, counters } = floorCheck(parseJson(text, path, limits), path);
    return { mark: mark ?? undefined, counters };
  } catch {
    return undefined; // damaged: the database knows as well
  }
}

function sumOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
