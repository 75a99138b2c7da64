// SPDX-License-Identifier: Apache-2.0
// What a person can see while the agent is away: containers and logs, from the files that the agent and the
// keepers leave. Reads only; needs to be root, as those files are.

import { systemClock } from '../../adapters/clock.js';
import { errnoOf } from '../../adapters/durable.js';
import type { Places } from '../../adapters/places.js';
import { CodedError, codeOf } from '../../protocol/error.js';
import type { LocalContainer, LocalStats, LogLine } from '../../protocol/local.js';
import { folderOf, layoutOf } from '../run/layout.js';
import { readLogs } from '../run/logs.js';
import { findContainers } from '../run/made.js';
import { Meter } from '../run/stats.js';
import type { LogQuery, MadeContainer } from '../run/types.js';
import { localContainer, pick } from './container.js';

/** @throws NOT_ROOT */
export async function madeContainers(places: Places): Promise<MadeContainer[]> {
  try {
    return (await findContainers(places)).map((found) => found.made);
  } catch (error) {
    if (errnoOf(error) !== 'EACCES') throw error;
    throw new CodedError(
      'NOT_ROOT',
      `${places.state} may be read by root only`,
      {},
      { cause: error },
    );
  }
}

export async function containersOf(places: Places): Promise<LocalContainer[]> {
  return (await madeContainers(places)).map(localContainer);
}

export async function statsOf(places: Places): Promise<LocalStats[]> {
  return new Meter(systemClock, places.cgroupParent).read(await madeContainers(places));
}

/** @throws RUN_ABSENT */
export async function* logsOf(
  places: Places,
  wanted: string,
  query: LogQuery,
): AsyncGenerator<LogLine> {
  const made = pick(await madeContainers(places), wanted);
  yield* readLogs(layoutOf(folderOf(places, made.id)).logs, query);
}

/** The agent's answer, or the files' where it is away. */
export async function orAway<T>(ask: () => Promise<T>, files: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (codeOf(error) !== 'AGENT_AWAY') throw error;
    return files();
  }
}
